import { killCampaign } from '../kill-campaign.js'
import { referenceFor } from '../reference.js'
import { BACKENDS } from '../rig.js'
import type { Scenario } from '../scenario.js'

/** Months of two symbols that a campaign works on; more kills do them again. */
export const KILL_MONTHS = 12

/** So many workers killed at failpoints, each point in its turn. */
export const kills = (count: number): Scenario => ({
  name: 'kill',
  title: `${count} workers killed with kill -9 at failpoints lose nothing and leave nothing`,
  backends: BACKENDS,
  run: async ({ backend, seed, say }) =>
    killCampaign({ backend, seed, say, count, months: KILL_MONTHS, reference: await referenceFor(KILL_MONTHS) }),
})
