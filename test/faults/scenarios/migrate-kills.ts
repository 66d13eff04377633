import { migrateCampaign } from '../migrate-campaign.js'
import { BACKENDS } from '../rig.js'
import type { Scenario } from '../scenario.js'

/** So many workers killed while hot rows are migrated, each point in its turn. */
export const migrateKills = (count: number): Scenario => ({
  name: 'migrate',
  title: `${count} workers killed with kill -9 while they migrate hot rows: hot and warm are the truth at every instant`,
  backends: BACKENDS,
  run: async ({ backend, seed, say }) => migrateCampaign({ backend, seed, say, count }),
})
