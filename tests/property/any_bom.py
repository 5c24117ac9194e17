"""Bills of materials that nobody would write by hand."""

from __future__ import annotations

from hypothesis import strategies as st

from redan.core.bom import Bom, Component, DataFacts, Energy, Fairness, Metric, ModelCard, Party, Vulnerability
from redan.core.finding import Location, Quantity, Severity

text = st.text(max_size=12) | st.sampled_from(["", "a", "MIT", "Apache-2.0", "BSD", "\ud800", "\x1b[0m", "a\u202eb"])
texts = st.lists(text, max_size=2).map(tuple)
number = st.floats(allow_nan=False, allow_infinity=False)
digest = st.sampled_from(["sha256:" + "a" * 64, "md5:zz", "SHA512:" + "F" * 128, "record-sha256:00", ":", ""]) | text
url = (
    st.sampled_from(["https://h/x y", "git+https://h/x.git", "../a b", "http://[", "a:b", "%zz", "#a#b", ":", "//"])
    | text
)


@st.composite
def quantities(draw: st.DrawFn) -> Quantity:
    low, value, high = sorted([draw(st.floats()) for _ in range(3)], key=str)
    return Quantity(name=draw(text), value=value, unit=draw(text), n=draw(st.integers(0, 9)), low=low, high=high)


metrics = st.builds(Metric, quantity=quantities(), slice=text, rule=text)
cards = st.builds(
    ModelCard,
    task=text,
    approach=st.sampled_from(["", "supervised", "unsupervised"]),
    family=text,
    architecture=text,
    data=st.lists(st.sampled_from(["r0", "r1"]), unique=True).map(tuple),
    inputs=texts,
    outputs=texts,
    metrics=st.lists(metrics, max_size=2).map(tuple),
    users=texts,
    ethics=st.lists(st.tuples(text, text), max_size=2).map(tuple),
    fairness=st.lists(st.builds(Fairness, group=text, harms=text), max_size=1).map(tuple),
    energy=st.lists(
        st.builds(Energy, activity=text, energy_kwh=number, co2_t=st.none() | number, provider=text, source=text),
        max_size=1,
    ).map(tuple),
    properties=st.lists(st.tuples(text, text), max_size=2).map(tuple),
)
vulnerabilities = st.builds(
    Vulnerability,
    id=text,
    affects=st.just(("r0",)),
    source=text,
    url=text,
    description=text,
    severity=st.none() | st.sampled_from(Severity),
    score=st.none() | st.floats(),
    cwes=st.lists(st.integers(-1, 999), max_size=2).map(tuple),
    aliases=texts,
    state=st.sampled_from(["", "not_affected", "exploitable"]),
    justification=st.sampled_from(["", "code_not_present"]),
    responses=st.lists(st.sampled_from(["update", "rollback"])).map(tuple),
    detail=text,
)


@st.composite
def components(draw: st.DrawFn, ref: str) -> Component:
    kind = draw(st.sampled_from(["application", "container", "data", "file", "library", "model"]))
    return Component(
        ref=ref,
        kind=kind,
        name=draw(text),
        version=draw(text),
        purl=draw(text),
        description=draw(text),
        licence=draw(text),
        digests=draw(st.lists(digest, max_size=3).map(tuple)),
        required=draw(st.booleans()),
        places=draw(st.lists(st.builds(Location, uri=text, address=text | st.just("line 3")), max_size=2).map(tuple)),
        url=draw(url),
        repository=draw(st.booleans()),
        properties=draw(st.lists(st.tuples(text, text), max_size=2).map(tuple)),
        card=draw(cards) if kind == "model" else None,
        data=draw(st.builds(DataFacts, url=url, classification=text, sensitive=texts, owner=text))
        if kind == "data"
        else None,
    )


@st.composite
def boms(draw: st.DrawFn) -> Bom:
    refs = [f"r{n}" for n in range(draw(st.integers(0, 3)))]
    return Bom(
        subject=draw(components("root")),
        components=tuple(draw(components(ref)) for ref in refs),
        depends={
            ref: draw(st.lists(st.sampled_from(["root", *refs]), unique=True).map(tuple)) for ref in ["root", *refs]
        },
        vulnerabilities=draw(st.lists(vulnerabilities, max_size=2).map(tuple)),
        tool_version="1",
        timestamp="2026-01-02T03:04:05Z",
        authors=draw(st.lists(st.builds(Party, name=text, email=text | st.just("a@b.c")), max_size=2).map(tuple)),
        complete=draw(st.booleans()),
        notes=draw(texts),
    )
