"""The page's only script: a filter over findings. The page says everything without it."""

from __future__ import annotations

JS = """
(()=>{
const bar=document.getElementById('filter');
if(!bar)return;
const rows=[...document.querySelectorAll('details.finding')];
const word=bar.querySelector('input[type=search]');
const boxes=[...bar.querySelectorAll('input[type=checkbox]')];
const told=document.getElementById('shown');
const apply=()=>{
  const on=new Set(boxes.filter(b=>b.checked).map(b=>b.value));
  const text=word.value.trim().toLowerCase();
  let count=0;
  for(const row of rows){
    const keep=on.has(row.dataset.severity)&&(!text||row.textContent.toLowerCase().includes(text));
    row.hidden=!keep;
    count+=keep?1:0;
  }
  told.textContent=count+' of '+rows.length+' findings shown';
};
const all=open=>()=>rows.forEach(row=>{row.open=open;});
bar.addEventListener('input',apply);
document.getElementById('open').addEventListener('click',all(true));
document.getElementById('close').addEventListener('click',all(false));
window.addEventListener('beforeprint',all(true));
bar.hidden=false;
apply();
})();
"""
