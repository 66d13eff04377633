/**
 * The fault campaign: `npm run faults -- --count 200 --seed 1 --backend redis|postgres|both --only NAME,NAME`.
 * `--count` is of workers killed, on each backend, and up to 20 of crashes under subscriptions; the others run once,
 * those of S3 with no backend. `--disks LAKE,STAGING` are folders on
 * small disks, mounted already. Ends with `N faults, N violations`, and with exit code 1 if there was any.
 */
import { parseArgs } from 'node:util'
import { stopShared } from '../support/shared.js'
import { BACKENDS, type BackendName } from './rig.js'
import { S3_FAULTS } from './s3/s3-faults.js'
import type { Outcome, Scenario } from './scenario.js'
import { kills } from './scenarios/kills.js'
import { migrateKills } from './scenarios/migrate-kills.js'
import { SCENARIOS } from './scenarios.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    backend: { type: 'string', default: 'both' },
    only: { type: 'string' },
    disks: { type: 'string' },
  },
})

const count = numberOf('count', values.count)
const all = [kills(count), migrateKills(count), ...SCENARIOS]
const chosen = all.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name))
const chosenS3 = S3_FAULTS.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name))
const backends = BACKENDS.filter((name) => values.backend === 'both' || values.backend === name)
if (chosen.length + chosenS3.length === 0) fail(`--only takes ${[...all, ...S3_FAULTS].map(({ name }) => name).join(', ')}`)
if (backends.length === 0) fail('--backend takes redis, postgres, both')
const seed = numberOf('seed', values.seed)

/** Of the server itself: a few seconds each. */
const MOST_CRASHES = 20

const total = { faults: 0, violations: 0 }
console.log(`seed ${seed}`)
for (const scenario of chosen) {
  for (const backend of scenario.backends.filter((name) => backends.includes(name))) await run(scenario, backend)
}
for (const { name, full, run: provoke } of chosenS3) await report(`${name} on S3`, () => provoke({ count: full, seed }))
await stopShared()
console.log(`${total.faults} faults, ${total.violations} violations`)
process.exit(total.violations > 0 ? 1 : 0)

async function run(scenario: Scenario, backend: BackendName): Promise<void> {
  const [lake, staging] = values.disks?.split(',') ?? []
  const disks = lake === undefined || staging === undefined ? {} : { disks: { lake, staging } }
  const say = (line: string): void => console.log(`  ${line}`)
  await report(`${scenario.name} on ${backend}`, () => scenario.run({ backend, seed, say, count: Math.min(count, MOST_CRASHES), ...disks }))
}

async function report(name: string, work: () => Promise<Outcome>): Promise<void> {
  const started = performance.now()
  const { faults, violations } = await work().catch((thrown: unknown) => {
    const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    return { faults: 0, violations: [why] }
  })
  total.faults += faults
  total.violations += violations.length
  for (const violation of violations) console.log(`  VIOLATION ${violation}`)
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  console.log(`${name}: ${faults} faults, ${violations.length} violations, ${seconds} s`)
}

function numberOf(flag: string, text: string): number {
  return /^\d+$/.test(text) ? Number(text) : fail(`--${flag} takes a number`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
