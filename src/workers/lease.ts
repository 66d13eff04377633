import type { Claim } from '../domain/ports/stage-catalog.js'
import { asPipelineError } from '../domain/errors.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Ports } from './stage.js'

/** A claim's lease while its effect runs: `signal` fires when the job is stopped or the lease is lost. */
export type Lease = { readonly signal: AbortSignal; lost(): boolean; stop(): void }

/**
 * Renews a claim's lease three times per length. A catalog that cannot be asked is not a lost lease: the commit is
 * fenced anyway, and work already done is worth finishing.
 */
export function keepLease(claim: Claim, ports: Ports, outer: AbortSignal): Lease {
  const { leaseMs } = ports.settings
  const lost = new AbortController()
  const renew = async (): Promise<void> => {
    try {
      const held = await ports.catalog.renew({ tokens: [claim.token], leaseMs })
      if (!held.has(claim.token)) lost.abort(new Error('the lease is lost'))
    } catch (thrown) {
      const { code } = asPipelineError(thrown)
      ports.log.warn('lease.not_renewed', { partition: partitionKeyOf(claim.partition), stage: claim.stage, code })
    }
  }
  const timer = setInterval(() => void renew(), leaseMs / 3)
  timer.unref()
  return {
    signal: AbortSignal.any([outer, lost.signal]),
    lost: () => lost.signal.aborted && !outer.aborted,
    stop: () => clearInterval(timer),
  }
}
