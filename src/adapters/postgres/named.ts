import { sql, type Kysely } from 'kysely'
import { partitionKeyOf, type Partition, type PartitionKey } from '../../domain/partition.js'
import { isPartition, keyArrays, lookedUp, partitionOf, unfinishedStates, type Db, type KeyRow } from './rows.js'
import { lockPlanning } from './runs.js'

/** A row `p` that shows an object, or is on its way and may come to. */
const isNamed = sql<boolean>`(p.published_key is not null or p.state in ${unfinishedStates})`

export async function named(db: Db, partitions: readonly Partition[]): Promise<ReadonlySet<PartitionKey>> {
  if (partitions.length === 0) return new Set()
  const { rows } = await sql<KeyRow>`
    select p.dataset, p.symbol, p.interval, p.month
    from unnest(${keyArrays(partitions)}) as i(dataset, symbol, interval, month) ${lookedUp}
    where ${isNamed}`.execute(db)
  return new Set(rows.map((row) => partitionKeyOf(partitionOf(row))))
}

/** The row's lock keeps publications and plans away; where there is no row, planners may not insert one meanwhile. */
export function whileUnnamed(
  db: Kysely<unknown>, partition: Partition, effect: () => Promise<void>,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const look = async (): Promise<boolean | null> => {
      const { rows } = await sql<{ named: boolean }>`
        select ${isNamed} as named from partitions p where ${isPartition(partition)} for update`.execute(trx)
      return rows[0]?.named ?? null
    }
    let isKnown = await look()
    if (isKnown === null) {
      await lockPlanning('exclusive').execute(trx)
      isKnown = await look()
    }
    if (isKnown === true) return false
    await effect()
    return true
  })
}
