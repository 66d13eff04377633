import { expect } from 'chai'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runs, serverPidOf, startHolder, type Acquired } from './holder.js'
import { freshHome, hasServer, removeHomes, temporaryFolder } from './homes.js'

describe('embedded postgres: one server for all processes of a home', () => {
  afterEach(async () => expect(await removeHomes(), 'left running by this test').to.deep.equal([]))

  it('starts an empty database that is ours, in UTC and UTF-8, durable and without a TCP port', async () => {
    const home = freshHome()
    const temporary = temporaryFolder().dir
    const holder = startHolder({ home, temporary })
    const began = Date.now()
    const got = await holder.ask<Acquired>('acquire')
    console.log(`      first start: ${Date.now() - began} ms, the start of Node included`)
    expect(got.adopted).to.equal(false)
    expect(await holder.ask('query')).to.deep.equal({
      database: 'candlelake', role: 'candlelake', owner: 'candlelake',
      zone: 'UTC', encoding: 'UTF8', listens: '', fsync: 'on',
    })
    expect(statSync(got.connection.host).mode & 0o777).to.equal(0o700)
    expect(statSync(join(home, 'postgres', 'password')).mode & 0o777).to.equal(0o600)
    expect(readFileSync(join(home, 'postgres', 'README'), 'utf8')).to.include(got.dataDir)
    expect(readdirSync(temporary), 'left in the folder for temporary files').to.deep.equal([])
    await holder.ask('release')
    expect(await holder.end()).to.equal(0)
    const again = startHolder({ home })
    const warm = Date.now()
    await again.ask('acquire')
    console.log(`      start of what is there: ${Date.now() - warm} ms, the start of Node included`)
    await again.ask('release')
  })

  it('keeps the password out of every command line and of what a person may share', async () => {
    const home = freshHome()
    const holder = startHolder({ home })
    const { connection, dataDir } = await holder.ask<Acquired>('acquire')
    const pid = serverPidOf(dataDir) ?? 0
    if (process.platform === 'linux') {
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).to.include(dataDir).and.not.include(connection.password)
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).to.not.include(connection.password)
    }
    const shown = ['README', 'location.json'].map((name) => readFileSync(join(home, 'postgres', name), 'utf8')).join('')
    expect(shown + readFileSync(join(dataDir, 'server.log'), 'utf8')).to.not.include(connection.password)
  })

  it('a second process adopts it, works on when the first has left, and as the last one stops it', async () => {
    const home = freshHome()
    const [first, second] = [startHolder({ home }), startHolder({ home })]
    const { dataDir } = await first.ask<Acquired>('acquire')
    const pid = serverPidOf(dataDir) ?? 0
    expect((await second.ask<Acquired>('acquire')).adopted).to.equal(true)
    await first.ask('release')
    expect(await first.end()).to.equal(0)
    expect(await second.ask('query')).to.have.property('role', 'candlelake')
    expect(serverPidOf(dataDir)).to.equal(pid)
    await second.ask('release')
    expect(runs(pid), 'the server runs').to.equal(false)
    expect(serverPidOf(dataDir)).to.equal(null)
    expect(await second.end(), 'nothing keeps the process from ending').to.equal(0)
  })

  it('two shares of one process count as two', async () => {
    const home = freshHome()
    const holder = startHolder({ home })
    const { dataDir } = await holder.ask<Acquired>('acquire')
    await holder.ask('churn')
    expect(hasServer(dataDir), 'the first share holds the server').to.equal(true)
    expect(await holder.ask('stop')).to.equal('held')
  })

  it('two processes that start at once: one starts, the other adopts', async () => {
    const home = freshHome()
    const holders = [startHolder({ home }), startHolder({ home })]
    const got = await Promise.all(holders.map((h) => h.ask<Acquired>('acquire')))
    expect(got.map((g) => g.adopted).sort()).to.deep.equal([false, true])
    expect(await Promise.all(holders.map((h) => h.ask('query')))).to.have.lengthOf(2)
  })

  it('eight processes that come and go at once never fail, and leave no server', async () => {
    const home = freshHome()
    const holders = Array.from({ length: 8 }, () => startHolder({ home }))
    expect(await Promise.all(holders.map((h) => h.ask('churn')))).to.deep.equal(Array(8).fill('done'))
    const probe = startHolder({ home })
    expect(await probe.ask('stop')).to.equal('absent')
    const left = readdirSync(join(home, 'postgres')).filter((name) => /^lock\.|\.new/.test(name))
    expect([...left, ...readdirSync(join(home, 'postgres', 'holders'))]).to.deep.equal([])
  })

  it('Ctrl-C reaches the holder and not the server', async () => {
    const holder = startHolder({ home: freshHome(), ignoreSigint: true })
    const { dataDir } = await holder.ask<Acquired>('acquire')
    const pid = serverPidOf(dataDir) ?? 0
    holder.signalGroup('SIGINT')
    await sleep(300)
    expect(await holder.ask('query')).to.have.property('role', 'candlelake')
    expect(serverPidOf(dataDir)).to.equal(pid)
    await holder.ask('release')
    expect(runs(pid), 'the server runs').to.equal(false)
  })
})
