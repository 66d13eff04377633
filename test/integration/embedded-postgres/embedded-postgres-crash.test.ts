import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { runs, serverPidOf, startHolder, type Acquired } from './holder.js'
import { freshHome, hasServer, removeHomes } from './homes.js'

const holderFiles = (home: string): string[] => readdirSync(join(home, 'postgres', 'holders'))

describe('embedded postgres: after a crash', () => {
  afterEach(async () => expect(await removeHomes(), 'left running by this test').to.deep.equal([]))

  it('kill -9 of the only holder leaves an orphan, which the next process adopts and stops', async () => {
    const home = freshHome()
    const first = startHolder({ home })
    const { dataDir } = await first.ask<Acquired>('acquire')
    const pid = serverPidOf(dataDir) ?? 0
    await first.killed('SIGKILL')
    expect(runs(pid), 'the orphan runs').to.equal(true)
    const second = startHolder({ home })
    expect((await second.ask<Acquired>('acquire')).adopted).to.equal(true)
    expect(serverPidOf(dataDir)).to.equal(pid)
    expect(holderFiles(home), 'the dead holder is forgotten').to.have.lengthOf(1)
    await second.ask('release')
    expect(runs(pid), 'the server runs').to.equal(false)
  })

  it('an orphan that nobody needs can be stopped, one that somebody holds cannot', async () => {
    const home = freshHome()
    const [holder, other] = [startHolder({ home }), startHolder({ home })]
    const { dataDir } = await holder.ask<Acquired>('acquire')
    expect(await other.ask('stop')).to.equal('held')
    expect(hasServer(dataDir)).to.equal(true)
    await holder.killed('SIGKILL')
    expect(await other.ask('stop')).to.equal('stopped')
    expect(hasServer(dataDir)).to.equal(false)
    expect(await other.ask('stop')).to.equal('absent')
  })

  it('SIGKILL of the server, with a query at work: the next process starts it again and nothing is lost', async () => {
    const home = freshHome()
    const first = startHolder({ home })
    const { dataDir, connection } = await first.ask<Acquired>('acquire')
    const client = new pg.Client({ ...connection, database: 'candlelake', ssl: false })
    client.on('error', () => undefined)
    await client.connect()
    await client.query('CREATE TABLE kept AS SELECT 42 AS n')
    const pid = serverPidOf(dataDir) ?? 0
    // A loop that never looks up: it outlives the server and stays attached to its memory.
    const atWork = client.query('SELECT count(*) FROM generate_series(1, 1000000000)').catch(() => undefined)
    const backend = await backendOf(dataDir, pid)
    process.kill(pid, 'SIGKILL')
    await sleep(100)
    expect(runs(pid), 'the server runs').to.equal(false)
    if (backend !== null) expect(runs(backend), 'the query outlived the server').to.equal(true)
    const second = startHolder({ home })
    expect((await second.ask<Acquired>('acquire')).adopted).to.equal(false)
    await atWork
    const again = new pg.Client({ ...connection, database: 'candlelake', ssl: false })
    await again.connect()
    expect((await again.query<{ n: number }>('SELECT n FROM kept')).rows).to.deep.equal([{ n: 42 }])
    await again.end()
    await client.end().catch(() => undefined)
  })

  it('a pid file whose pid is now another process does not keep it from starting, and that process lives', async () => {
    const home = freshHome()
    const first = startHolder({ home })
    const { dataDir, connection } = await first.ask<Acquired>('acquire')
    const pid = serverPidOf(dataDir) ?? 0
    await first.killed('SIGKILL')
    process.kill(pid, 'SIGKILL')
    while (runs(pid)) await sleep(10)
    const file = join(dataDir, 'postmaster.pid')
    // Of the same user, as in a container where every process is: PostgreSQL passes over other users' by itself.
    const { uid, gid } = statSync(dataDir)
    const bystander = spawn('sleep', ['60'], { cwd: '/', ...(process.geteuid?.() === 0 ? { uid, gid } : {}) })
    try {
      const now = String(bystander.pid)
      writeFileSync(file, readFileSync(file, 'utf8').replace(String(pid), now))
      writeFileSync(join(connection.host, '.s.PGSQL.5432.lock'), `${now}\n`)
      const second = startHolder({ home })
      expect((await second.ask<Acquired>('acquire')).adopted).to.equal(false)
      await second.ask('release')
      expect(runs(bystander.pid ?? 0), 'the other process lives').to.equal(true)
    } finally {
      bystander.kill('SIGKILL')
    }
  })

  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    it(`${signal} at any moment of the first start: the next process gets a whole database`, async () => {
      let cutOff = 0
      const bases: { home: string; baseDir: string }[] = []
      for (const afterMs of [120, 250, 450, 700]) {
        const home = freshHome()
        const first = startHolder({ home })
        const got = first.ask<Acquired>('acquire').catch(() => null)
        await sleep(afterMs)
        first.signalGroup(signal)
        if ((await got) === null) cutOff++
        const second = startHolder({ home })
        const { dataDir } = await second.ask<Acquired>('acquire')
        expect(await second.ask('query'), `after ${afterMs} ms`).to.have.property('owner', 'candlelake')
        await second.ask('release')
        await second.end()
        bases.push({ home, baseDir: dirname(dataDir) })
      }
      expect(cutOff, 'starts that were cut off').to.be.greaterThan(1)
      for (const { home, baseDir } of bases) {
        const later = startHolder({ home })
        await later.ask('churn')
        expect(readdirSync(baseDir).filter((name) => name.includes('.new')), 'unfinished').to.deep.equal([])
        await later.end()
      }
    }).timeout(180_000)
  }

  it('a lost password is replaced once nobody else is in', async () => {
    const home = freshHome()
    const first = startHolder({ home })
    const { dataDir } = await first.ask<Acquired>('acquire')
    writeFileSync(join(home, 'postgres', 'password'), 'not-the-password\n')
    const second = startHolder({ home })
    const failure = await second.askForFailure('acquire')
    expect(failure.code).to.equal('EMBEDDED_FAILED')
    expect(await first.ask('query'), 'the first is not disturbed').to.have.property('role', 'candlelake')
    await first.ask('release')
    expect((await second.ask<Acquired>('acquire')).adopted).to.equal(false)
    expect(await second.ask('query')).to.have.property('role', 'candlelake')
    expect(hasServer(dataDir)).to.equal(true)
  })
})

/** The server process that runs the test's query; null where /proc does not tell. */
async function backendOf(dataDir: string, server: number): Promise<number | null> {
  if (process.platform !== 'linux') return null
  for (let i = 0; i < 200; i++) {
    const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ').map(Number)
    const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('SELECT'))
    if (found !== undefined) return found
    await sleep(20)
  }
  throw new Error(`no query at work in ${dataDir}`)
}
