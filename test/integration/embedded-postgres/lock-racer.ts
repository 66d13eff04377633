/**
 * `node lock-racer.js <lock folder> <log> <rounds> <die in round>`: takes the lock that often and writes a line to the
 * log when inside and when about to leave; in round `die` it kills itself inside, as kill -9 does.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { withProcessLock } from '../../../src/adapters/embedded-postgres/process-lock.js'

const [dir = '', log = '', rounds = '1', die = '-1'] = process.argv.slice(2)

for (let round = 0; round < Number(rounds); round++) {
  await withProcessLock({ dir, waitMs: 50_000 }, async () => {
    appendFileSync(log, `enter ${process.pid}\n`)
    await sleep(Math.random() * 4)
    if (round === Number(die)) process.kill(process.pid, 'SIGKILL')
    appendFileSync(log, `leave ${process.pid}\n`)
  })
}
