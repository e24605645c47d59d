/**
 * Of the status page. Colours keep a contrast of 4.5 to 1 at least in both schemes, and none is the only sign of anything:
 * the words say the same.
 */
export const statusStyle = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --text: #1b1f24; --quiet: #545d68; --line: #d5dae1;
  --good: #116329; --good-ground: #dcf5e3; --busy: #0a4da8; --busy-ground: #dcebff;
  --held: #7a4100; --held-ground: #fdeccd; --bad: #a40e26; --bad-ground: #ffe3e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1116; --card: #171b22; --text: #e8ecf1; --quiet: #a2acb8; --line: #303742;
    --good: #6fdc8c; --good-ground: #12301c; --busy: #8cbcff; --busy-ground: #14294a;
    --held: #f0bd63; --held-ground: #3a2a0c; --bad: #ff9a9e; --bad-ground: #45171c;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0 auto; max-width: 44rem; padding: 1.25rem 1rem 2rem;
  background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: .8rem; letter-spacing: .07em; text-transform: uppercase; color: var(--quiet); }
h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0; }
#device { color: var(--quiet); font-size: .9rem; min-height: 1.35rem; }
section { margin-top: 1rem; padding: 1rem 1.125rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
.state { display: inline-flex; align-items: baseline; gap: .5rem; padding: .25rem .75rem; border-radius: 1rem; font-weight: 600; }
.state::before { content: ""; flex: none; width: .6rem; height: .6rem; border-radius: 50%; background: currentColor; }
#headline { display: flex; padding: .6rem 1rem; border-radius: .75rem; font-size: 1.1rem; }
.good { color: var(--good); background: var(--good-ground); }
.busy { color: var(--busy); background: var(--busy-ground); }
.held { color: var(--held); background: var(--held-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.calm { color: var(--quiet); background: var(--ground); }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .4rem .75rem; }
.uri { color: var(--quiet); overflow-wrap: anywhere; }
article + article { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
dl { margin: 0; display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .3rem .75rem; }
* + dl:not(:empty) { margin-top: .75rem; }
h2 + dl:not(:empty) { margin-top: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
dd.good, dd.held, dd.bad { background: none; font-weight: 600; }
.version small { display: block; color: var(--quiet); font-size: .8rem; font-weight: 400; }
.version { font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
.progress { margin-top: .9rem; }
progress { display: block; width: 100%; height: .8rem; margin-bottom: .35rem; border: 0; border-radius: .4rem; overflow: hidden;
  appearance: none; background: var(--line); color: var(--busy); }
progress::-webkit-progress-bar { background: var(--line); border-radius: .4rem; }
progress::-webkit-progress-value { background: var(--busy); border-radius: .4rem; }
progress::-moz-progress-bar { background: var(--busy); border-radius: .4rem; }
progress:indeterminate { background: repeating-linear-gradient(-45deg, var(--busy) 0 .6rem, var(--line) .6rem 1.2rem); }
.outcome { margin-top: .9rem; padding: .6rem .85rem; border-radius: .6rem; }
.outcome b { display: block; font-size: .8rem; }
#log { margin: 0; padding: 0; list-style: none; max-height: 22rem; overflow: auto; font-size: .875rem; }
#log li { padding: .3rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
#log li:first-child { border-top: 0; }
#log time { color: var(--quiet); font-variant-numeric: tabular-nums; margin-right: .5rem; }
#log .level { font-weight: 700; margin-right: .35rem; background: none; }
#log .details { display: block; color: var(--quiet); font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .8rem; }
#log:focus-visible { outline: 2px solid var(--busy); outline-offset: 4px; }
footer { margin-top: 1rem; color: var(--quiet); font-size: .85rem; }
@media (min-width: 34rem) { dl { grid-template-columns: 11rem minmax(0, 1fr); } }
@media (max-width: 18rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
`;
