/** The status page's stylesheet: light or dark as the reader's system is, and readable on a telephone. */
export const STATUS_STYLE = `
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6775; --line: #dde3ea; --page: #f6f8fa; --card: #fff;
  --good: #1a7f4b; --bad: #b3261e; --wait: #8a5a00; --link: #0b5fbd }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #94a1b0; --line: #2b3541; --page: #10161d;
  --card: #18212b; --good: #57c98c; --bad: #ff8a80; --wait: #e5b454; --link: #79b8ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main, header { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .5rem 1.5rem; padding-top: 1.5rem }
h1 { font-size: 1.35rem; margin: 0 }
h2 { font-size: 1rem; margin: 0 0 .6rem }
nav { margin-left: auto; display: flex; gap: 1.1rem }
a { color: var(--link) }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.15rem;
  margin: 1rem 0; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 500; font-size: .82rem; color: var(--soft); white-space: nowrap }
th, td { padding: .3rem 1.1rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child td { border-bottom: 0 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.n.zero { color: var(--soft); opacity: .55 }
.mono { font-family: ui-monospace, monospace; font-size: .88rem }
.ago { color: var(--soft); font-size: .85rem; white-space: nowrap }
.soft { color: var(--soft) }
.small { font-size: .85rem }
.good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
.trouble { border-color: var(--bad) }
progress { width: 7rem; height: .55rem; accent-color: var(--good); vertical-align: middle }
p { margin: 0 }
footer { max-width: 72rem; margin: 0 auto; padding: .25rem 1.25rem 2rem }
`
