import { html } from 'hono/html'
import { FINISHED, JOB_STAGES, STATES, type State } from '../domain/states.js'
import { shownAge, shownBytes, shownCount, shownInstant, shownRequest } from './shown.js'
import type { DatasetStatus, QuarantineStatus, RunStatus, Status } from './status.js'

type Html = ReturnType<typeof html>

const REFRESH_SECONDS = 10

/** The status page: one HTML document without script or foreign resource, that loads itself anew every 10 s. */
export function statusPage(status: Status): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>candlelake</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<h1>candlelake</h1><span class="soft">${status.version}</span>
<nav><a href="/board">Queues</a><a href="/metrics">Metrics</a><a href="/api/status">JSON</a></nav>
</header>
<main>
${problems(status)}
${section('Lake', status.datasets, 'Nothing is planned yet.', datasets)}
${section('Runs', status.runs, 'No run yet. See: candlelake backfill --help', (rows) => runs(rows, status.at))}
${section('Workers', status.workers, 'None. Start one: candlelake worker', (rows) => workers(rows, status.at))}
${section('Queues', status.queues && JOB_STAGES.map((stage) => ({ stage, ...status.queues?.[stage] })), '', queues)}
${section('Quarantine', status.quarantine, 'Nothing is quarantined.', quarantine)}
</main>
<footer class="soft small">${shownInstant(status.at)} UTC, loaded anew every ${REFRESH_SECONDS} s</footer>
</body>
</html>`
}

function problems({ problems }: Status): Html | '' {
  if (problems.length === 0) return ''
  return html`<section class="trouble"><h2 class="bad">Not readable now</h2>
${problems.map(({ part, code }) => html`<p>${part}: <span class="mono">${code}</span></p>`)}</section>`
}

/** A card; a part that could not be read has been reported above and has none. */
function section<T>(
  title: string, rows: readonly T[] | null, none: string, table: (rows: readonly T[]) => Html,
): Html | '' {
  if (rows === null) return ''
  return html`<section><h2>${title}</h2>
${rows.length === 0 ? html`<p class="soft">${none}</p>` : table(rows)}</section>`
}

const number = (count: number, tone = ''): Html =>
  html`<td class="n ${count === 0 ? 'zero' : tone}">${shownCount(count)}</td>`

const TONES: Partial<Record<State, string>> = { verified: 'good', late: 'wait', quarantined: 'bad', failed: 'bad' }
const UNDER_WAY = 'under way'
const isUnderWay = (state: State): boolean => !FINISHED.includes(state)

function datasets(rows: readonly DatasetStatus[]): Html {
  const ends = STATES.filter((state) => !isUnderWay(state))
  const moving = ({ states }: DatasetStatus): number =>
    STATES.filter(isUnderWay).reduce((sum, state) => sum + states[state], 0)
  return html`<table><tr><th>dataset</th>
${[UNDER_WAY, ...ends, 'rows', 'in', 'out'].map((name) => html`<th class="n">${name}</th>`)}</tr>
${rows.map((row) => html`<tr><td class="mono">${row.dataset}</td>${number(moving(row), 'wait')}
${ends.map((state) => number(row.states[state], TONES[state]))}${number(row.rows)}
<td class="n">${shownBytes(row.bytesIn)}</td><td class="n">${shownBytes(row.bytesOut)}</td></tr>`)}</table>`
}

function runs(rows: readonly RunStatus[], now: Date): Html {
  const heads = ['run', 'kind', 'state', 'asked for', 'begun']
  return html`<table><tr>${heads.map((name) => html`<th>${name}</th>`)}<th class="n">done</th><th></th>
<th class="n">flagged</th><th class="n">quarantined</th><th class="n">failed</th></tr>
${rows.map((run) => {
    const done = FINISHED.reduce((sum, state) => sum + run.states[state], 0)
    const open = run.state === 'planning' || run.state === 'running'
    return html`<tr><td class="mono">${run.id}</td><td>${run.kind}</td>
<td class="${open ? 'wait' : run.state === 'done' ? 'good' : 'soft'}">${run.state}</td>
<td class="small">${shownRequest(run.request)}</td><td class="ago">${shownAge(run.createdAt, now)} ago</td>
<td class="n">${shownCount(done)}/${shownCount(run.total)}</td>
<td><progress max="${Math.max(1, run.total)}" value="${done}"></progress></td>
${number(run.flagged, 'wait')}${number(run.states.quarantined, 'bad')}${number(run.states.failed, 'bad')}</tr>`
  })}</table>`
}

function workers(rows: NonNullable<Status['workers']>, now: Date): Html {
  return html`<table><tr><th>worker</th><th>host</th><th>stages</th><th>doing</th><th>up</th><th>seen</th></tr>
${rows.map((row) => html`<tr><td class="mono">${row.id}</td>
<td>${row.host} <span class="soft small">${row.pid}</span></td>
<td>${row.stages.join(', ')}</td>
<td class="mono">${row.doing.length === 0 ? html`<span class="soft">idle</span>` : row.doing.map(doing)}</td>
<td class="ago">${shownAge(row.startedAt, now)}</td>
<td class="ago">${row.lost ? html`<span class="bad">lost</span>, ` : ''}${shownAge(row.seenAt, now)} ago</td>
</tr>`)}</table>`
}

const doing = ({ stage, partition }: { stage: string; partition: string }): Html =>
  html`<div>${stage} ${partition}</div>`

type QueueRow = { readonly stage: string } & Partial<NonNullable<Status['queues']>[keyof NonNullable<Status['queues']>]>

function queues(rows: readonly QueueRow[]): Html {
  return html`<table><tr><th>stage</th>
${['waiting', 'active', 'delayed', 'failed'].map((name) => html`<th class="n">${name}</th>`)}</tr>
${rows.map((row) => html`<tr><td>${row.stage}</td>${number(row.waiting ?? 0)}${number(row.active ?? 0, 'good')}
${number(row.delayed ?? 0, 'wait')}${number(row.failed ?? 0, 'bad')}</tr>`)}</table>`
}

const SERVED = html` <span class="soft small">an older revision is still served</span>`

function quarantine(rows: readonly QuarantineStatus[]): Html {
  return html`<table><tr><th>partition</th><th>code</th><th>why</th><th>since</th></tr>
${rows.map((row) => html`<tr><td class="mono">${row.partition}</td><td class="mono bad">${row.code}</td>
<td>${row.message}${row.served ? SERVED : ''}</td>
<td class="ago">${shownInstant(row.since)}</td></tr>`)}</table>`
}
