import { PipelineError } from '../domain/errors.js'
import { lakeAddressOf } from '../domain/lake-url.js'
import { objectKeyOf } from '../domain/names.js'
import type { KeeperCatalog } from '../domain/ports/keeper-catalog.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import { refuseForeign } from './owner.js'

export type MoveLakePorts = {
  readonly keeper: KeeperCatalog
  readonly lake: ObjectStore
  readonly url: string
}

/**
 * `from` and `to` are equal where the catalog has the address already; `looked` counts objects that were found there.
 */
export type LakeMoved = { readonly from: string; readonly to: string; readonly looked: number }

/**
 * A wrong address lacks them all, and half a copy shows among so many; every one is `candlelake verify`'s to look at.
 */
const LOOKED_AT = 100

/**
 * Records that the catalog's lake lies at another address now. Refused while a worker lives, which would go on
 * publishing to the old one, where the new one is another catalog's, and where published objects are not there.
 * @throws {LAKE_MISMATCH}
 */
export async function moveLake(ports: MoveLakePorts, o: { dryRun: boolean }): Promise<LakeMoved> {
  const to = lakeAddressOf(ports.url)
  const known = await ports.keeper.lake()
  const from = known?.url ?? to
  if (known === null || from === to) return { from, to, looked: 0 }
  await refuseWorkers(ports, from)
  await refuseForeign(ports.lake, known.catalogId)
  const looked = await look(ports, to)
  if (!o.dryRun && !(await ports.keeper.moveLake({ from, to }))) {
    const facts = { at: from, do: 'look who moved it, and where to' }
    throw new PipelineError('LAKE_MISMATCH', `the lake is no longer at ${from}`, facts)
  }
  return { from, to, looked }
}

/** Who lives is the database's to say, by its own clock. */
async function refuseWorkers({ keeper }: MoveLakePorts, at: string): Promise<void> {
  const alive = (await keeper.workers()).filter((worker) => !worker.lost)
  const first = alive[0]
  if (!first) return
  const message = `${alive.length} worker${alive.length === 1 ? '' : 's'} may still publish to ${at}`
  const todo = `stop them first, e.g. process ${first.pid} on ${first.host}`
  throw new PipelineError('LAKE_MISMATCH', message, { at, do: todo })
}

async function look({ keeper, lake }: MoveLakePorts, at: string): Promise<number> {
  let looked = 0
  for await (const { partition } of keeper.partitions({ published: true })) {
    const key = objectKeyOf(partition)
    if (!(await lake.head(key))) {
      const facts = { at, do: 'copy the whole lake there first' }
      throw new PipelineError('LAKE_MISMATCH', `the lake at ${at} lacks ${key}`, facts)
    }
    if (++looked === LOOKED_AT) break
  }
  return looked
}
