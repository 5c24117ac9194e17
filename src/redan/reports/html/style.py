"""The page's style sheet: light and dark from the same names, readable on a phone, on a wide screen and on paper."""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;
--paper:#f5f3ee;--card:#fffdf9;--ink:#1b1f2a;--soft:#565c6b;--line:#dcd7cb;--fill:#2b5f8a;--band:#a9c6de;
--edge:#12324d;--track:#e6e1d6;--loss:#b3452e;--twin:#1b1f2a;--link:#1b5688;--focus:#b3452e;
--critical:#9c1030;--high:#a83a0b;--medium:#7d5600;--low:#22644c;--info:#4d5566;
--pass:#1f6b4c;--fail:#9c1030;--undecided:#7d5600;--on:#fffdf9;
--h1:#faf2ed;--h2:#f6e7e1;--h3:#f1dcd4;--h4:#edd1c8;--h5:#e8c6bc;
--h6:#e4bbb0;--h7:#dfb0a4;--h8:#dba598;--h9:#d69a8b}
@media (prefers-color-scheme:dark){:root{
--paper:#11141b;--card:#191e28;--ink:#eceae4;--soft:#a9b0c0;--line:#313847;--fill:#6aa9db;--band:#2d5478;
--edge:#d5e8f8;--track:#2a303d;--loss:#f08a6b;--twin:#f4f1ea;--link:#8cc4f2;--focus:#ffb59c;
--critical:#ff8fa3;--high:#ffa273;--medium:#ecc063;--low:#7fd3b1;--info:#b3bccd;
--pass:#7fd3b1;--fail:#ff8fa3;--undecided:#ecc063;--on:#11141b;
--h1:#25242c;--h2:#312a2f;--h3:#3c3033;--h4:#483637;--h5:#543c3a;
--h6:#60423e;--h7:#6c4842;--h8:#784e45;--h9:#835349}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere;
font:1rem/1.55 ui-sans-serif,system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
main,.top,footer{max-width:76rem;margin:0 auto;padding:0 clamp(.9rem,3vw,2rem)}
h1,h2,h3,h4{line-height:1.2;margin:0;font-weight:650;letter-spacing:-.01em;text-wrap:balance}
h2{font-size:1.35rem;margin:2.6rem 0 .9rem;padding-top:.4rem}
h3{font-size:1.05rem}h4{font-size:.95rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0;max-width:70ch}.pre{white-space:pre-line}
ul{margin:.4rem 0;padding-left:1.2rem}li{margin:.15rem 0}
a{color:var(--link);text-underline-offset:.15em}
code,pre,.mono{font-family:ui-monospace,"Cascadia Mono","SF Mono",Menlo,"DejaVu Sans Mono",monospace;font-size:.9em}
pre{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem;margin:.5rem 0;
white-space:pre-wrap;user-select:all}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:.2rem}
.skip{position:absolute;left:-99rem;top:0;background:var(--card);padding:.6rem 1rem;z-index:2}
.skip:focus{left:.5rem;top:.5rem}
.top{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;align-items:center;padding-top:1rem;padding-bottom:.8rem}
.brand{display:flex;gap:.5rem;align-items:center;font-weight:700;letter-spacing:.02em;margin-right:auto}
.brand svg{width:1.5rem;height:1.5rem;fill:none;stroke:var(--fill);stroke-width:3;stroke-linejoin:miter}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:0;font-size:.92rem}
.soft{color:var(--soft)}.small{font-size:.88rem}
.hero{background:var(--card);border:1px solid var(--line);border-left:.55rem solid var(--tone);border-radius:.7rem;
padding:clamp(1rem,3vw,1.8rem);display:grid;grid-template-columns:auto 1fr;gap:.3rem 1.2rem;align-items:start}
.hero>svg{width:clamp(2.6rem,8vw,4.2rem);height:auto;fill:none;stroke:var(--tone);stroke-width:5;
stroke-linecap:square}
.hero h1{font-size:clamp(1.5rem,4.5vw,2.3rem)}.hero h1 .word{color:var(--tone)}
.hero .facts{grid-column:1/-1}
.tone-pass{--tone:var(--pass)}.tone-fail{--tone:var(--fail)}.tone-undecided{--tone:var(--undecided)}
.facts{display:flex;flex-wrap:wrap;gap:.3rem 1.6rem;margin:.8rem 0 0;padding:.8rem 0 0;border-top:1px solid var(--line)}
.facts div{min-width:0}dt{color:var(--soft);font-size:.82rem}dd{margin:0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:1rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem 1.1rem;min-width:0}
.card .head{display:flex;gap:.6rem;justify-content:space-between;align-items:baseline;flex-wrap:wrap}
.change{margin:.8rem 0}
.big{font-size:2.1rem;font-weight:680;letter-spacing:-.02em;line-height:1.1;margin:.55rem 0 .1rem}
.big.none{font-size:1.25rem;color:var(--soft);font-weight:600}
.scale{display:flex;justify-content:space-between;color:var(--soft);font-size:.75rem}
svg.bar{display:block;width:100%;height:.85rem;min-width:5rem}.card svg.bar{height:1.1rem;margin-top:.5rem}
.track{fill:var(--track)}.fill{fill:var(--fill)}.band{fill:var(--band)}.edge{fill:var(--edge)}.loss{fill:var(--loss)}
.twin{fill:var(--twin)}
svg.plot{display:block;width:100%;max-width:34rem;height:auto}
.rule{stroke:var(--line);stroke-width:1}
.tick{fill:var(--soft);font-size:10.5px}.end{text-anchor:end}.middle{text-anchor:middle}
.area{fill:var(--band);opacity:.65}.curve{fill:none;stroke:var(--fill);stroke-width:2}.dot{fill:var(--fill)}
.between{fill:var(--low);opacity:.22}.curve.certified{stroke:var(--low)}.dot.certified{fill:var(--low)}
.curve.before{stroke:var(--soft);stroke-dasharray:2 3}.dot.before{fill:var(--soft)}
.spot{fill:var(--card);stroke:var(--soft);stroke-width:1.5}.spot.best{fill:var(--fill);stroke:var(--fill)}
.front{fill:none;stroke:var(--fill);stroke-width:1.5;stroke-dasharray:5 3}.name{fill:var(--ink);font-size:10px}
.drawn svg.plot{max-width:34rem}
.heat table{width:auto}.heat td{padding:0}.heat td span{display:block;padding:.32rem .5rem;text-align:right}
.heat th.n{padding:.32rem .5rem}.heat td,.heat th.n{min-width:2.4rem}.heat thead th{white-space:normal}
.long{display:block;min-width:13rem}.heat-0{color:var(--soft)}
.heat-1{background:var(--h1)}.heat-2{background:var(--h2)}.heat-3{background:var(--h3)}.heat-4{background:var(--h4)}
.heat-5{background:var(--h5)}.heat-6{background:var(--h6)}.heat-7{background:var(--h7)}.heat-8{background:var(--h8)}.heat-9{background:var(--h9)}
.mark{stroke:var(--loss);stroke-width:1.5;stroke-dasharray:4 3}
.chip{display:inline-flex;gap:.35em;align-items:center;border:1.5px solid currentColor;border-radius:99rem;
padding:.02rem .6rem;font-size:.8rem;font-weight:650;white-space:nowrap}
.is-critical{color:var(--critical)}.is-high{color:var(--high)}.is-medium{color:var(--medium)}.is-low{color:var(--low)}
.is-info{color:var(--info)}.is-solid{background:currentColor}.is-solid span{color:var(--on)}
.is-unsafe{color:var(--critical)}.is-unknown{color:var(--medium)}.is-safe{color:var(--low)}
.is-failed{color:var(--critical)}.is-partial,.is-skipped,.is-stopped,.is-not{color:var(--medium)}.is-ran{color:var(--low)}
.notice{border:1px solid var(--undecided);border-left-width:.4rem;border-radius:.6rem;background:var(--card);
padding:.8rem 1.1rem;margin:1rem 0}
.notice h2{margin:.1rem 0 .3rem;padding:0;font-size:1.1rem}.notice li b{font-weight:650}
details.finding{background:var(--card);border:1px solid var(--line);border-radius:.7rem;margin:.8rem 0}
details.finding>summary{cursor:pointer;padding:.85rem 1.1rem;display:flex;flex-wrap:wrap;gap:.3rem .7rem;
align-items:baseline;list-style-position:inside}
details.finding>summary h3{flex:1 1 16rem;min-width:0}
details.finding>summary::before{content:"\\25B8";color:var(--soft)}details.finding[open]>summary::before{content:"\\25BE"}
details.finding>summary::-webkit-details-marker{display:none}details.finding>summary{list-style:none}
.body{padding:0 1.1rem 1.1rem}.body>details{margin-top:.8rem;font-size:.92rem}
.body>.facts,.body details .facts{border:0;padding:0;margin:.4rem 0}
summary{cursor:pointer}
.scroll{overflow-x:auto;max-width:100%;margin:.4rem 0}
table{border-collapse:collapse;width:100%;font-size:.92rem}
.cards h3::first-letter,.series>figcaption::first-letter{text-transform:uppercase}
.series caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
caption::first-letter{text-transform:uppercase}
caption{text-align:left;color:var(--soft);font-size:.82rem;padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.32rem .7rem .32rem 0;border-bottom:1px solid var(--line);
font-weight:400;min-width:3.2rem;overflow-wrap:break-word}
thead th{color:var(--soft);font-size:.8rem;font-weight:600;white-space:nowrap}
th.n,td.n{text-align:right;white-space:nowrap}td:has(svg.bar){width:45%;min-width:8rem;vertical-align:middle}
.series thead th{white-space:normal;vertical-align:bottom}.cards a{display:inline-block;max-width:100%}
tbody th[scope=row]{font-weight:550;min-width:7rem}th.n[scope=row]{min-width:3.2rem}
td .mono,th .mono{overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1rem 2rem}
figure{margin:.8rem 0 0;min-width:0}figcaption{font-weight:600;font-size:.95rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:.4rem 1.4rem}
.wide{grid-column:1/-1}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1rem}
.pictures img{width:100%;height:auto;image-rendering:pixelated;border:1px solid var(--line);border-radius:.3rem;
display:block;background:#777}
.pictures .parts{display:grid;grid-template-columns:1fr 1fr 1fr;text-align:center;font-size:.78rem;color:var(--soft)}
.pictures figcaption{font-weight:400;font-size:.88rem;color:var(--soft)}
.filter{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin:.4rem 0}
.filter[hidden]{display:none}
.filter label{display:inline-flex;gap:.35rem;align-items:center}
.filter input[type=search]{font:inherit;padding:.3rem .6rem;border:1px solid var(--soft);border-radius:.4rem;
background:var(--card);color:inherit;max-width:100%}
.filter button{font:inherit;padding:.3rem .7rem;border:1px solid var(--soft);border-radius:.4rem;
background:var(--card);color:inherit;cursor:pointer}
[hidden]{display:none!important}
footer{padding-top:2rem;padding-bottom:2.5rem;color:var(--soft);font-size:.86rem}
@media (max-width:36rem){.hero{grid-template-columns:1fr}.big{font-size:1.8rem}
table{font-size:.8rem}th,td,tbody th[scope=row],th.n[scope=row]{padding-right:.45rem;min-width:0}
th.n,td.n,thead th{white-space:normal}td:has(svg.bar){min-width:3.4rem;width:30%}svg.bar{min-width:3rem}
details.finding>summary{padding:.8rem}.body{padding:0 .8rem .8rem}}
@media print{
:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--fill:#2b5f8a;--band:#a9c6de;--edge:#12324d;
--track:#e8e8e8;--loss:#b3452e;--twin:#000;--link:#1b5688;--critical:#9c1030;--high:#a83a0b;--medium:#7d5600;
--low:#22644c;--info:#4d5566;--pass:#1f6b4c;--fail:#9c1030;--undecided:#7d5600;--on:#fff;
--h1:#faf2ed;--h2:#f6e7e1;--h3:#f1dcd4;--h4:#edd1c8;--h5:#e8c6bc;
--h6:#e4bbb0;--h7:#dfb0a4;--h8:#dba598;--h9:#d69a8b}
body{font-size:10pt}.skip,nav,.filter{display:none!important}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.card,figure,.notice,tr,.hero{break-inside:avoid}h2,h3,h4,summary{break-after:avoid}
.scroll{overflow:visible}details::details-content{content-visibility:visible;block-size:auto;opacity:1}
details.finding>summary::before{content:""}
}
"""
