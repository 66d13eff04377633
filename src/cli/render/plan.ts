import type { PlanReport } from '../app.js'
import type { Estimate } from '../estimate.js'
import { formatBytes, formatCount, formatSeconds, plural } from './format.js'

/** `Planned 356 partitions in 0.9s: 0 verified, 418 MiB to download` */
export function renderPlanned(report: PlanReport, o: { readonly verified: number; readonly seconds: number }): string {
  const parts = [`${formatCount(o.verified)} verified`]
  if (report.joined > 0) parts.push(`${formatCount(report.joined)} on their way`)
  const known = report.unlisted < report.todo
  if (report.todo > 0) parts.push(`${known ? formatBytes(report.downloadBytes) : 'an unknown size'} to download`)
  if (report.todo + report.joined === 0) parts.push('nothing to download')
  return `Planned ${plural(report.partitions, 'partition')} in ${formatSeconds(o.seconds)}: ${parts.join(', ')}`
}

/** What a dry run says: what would be done, and what it would take. */
export function renderDryRun(report: PlanReport, estimate: Estimate): readonly string[] {
  const todo = report.todo + report.joined
  const first = `Would run ${formatCount(todo)} of ${plural(report.partitions, 'partition')}. Nothing was changed.`
  if (todo === 0) return [first]
  const about = (text: string | null): string => (text === null ? 'unknown' : `~${text}`)
  return [first, [
    `download ${estimate.downloadBytes === null ? 'unknown' : formatBytes(estimate.downloadBytes)}`,
    `lake ${about(estimate.lakeBytes === null ? null : formatBytes(estimate.lakeBytes))}`,
    ...(report.freeBytes === null ? [] : [`free ${formatBytes(report.freeBytes)}`]),
    `time ${about(estimate.seconds === null ? null : formatSeconds(estimate.seconds))}`,
  ].join('  ')]
}
