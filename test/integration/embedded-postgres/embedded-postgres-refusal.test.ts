import { expect } from 'chai'
import { chownSync, mkdirSync, readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { embeddedFailure } from '../../../src/adapters/embedded-postgres/failure.js'
import { platformPackage } from '../../../src/adapters/embedded-postgres/platform-package.js'
import { newProcessToken } from '../../../src/adapters/embedded-postgres/process-token.js'
import { capServerLog } from '../../../src/adapters/embedded-postgres/server-log.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { startHolder, type Acquired } from './holder.js'
import { fingerprint, freshHome, hasServer, removeHomes, temporaryFolder } from './homes.js'

const isRoot = process.geteuid?.() === 0

/** A home with a database that no server serves. */
async function homeWithData(): Promise<{ home: string; dataDir: string }> {
  const home = freshHome()
  const holder = startHolder({ home })
  const { dataDir } = await holder.ask<Acquired>('acquire')
  await holder.ask('release')
  return { home, dataDir }
}

describe('embedded postgres: what it refuses, and how it fails', () => {
  afterEach(async () => expect(await removeHomes(), 'left running by this test').to.deep.equal([]))

  it('data of another major version are refused with the way to move them, and not touched', async () => {
    const { home, dataDir } = await homeWithData()
    const { atime, mtime } = statSync(join(dataDir, 'PG_VERSION'))
    writeFileSync(join(dataDir, 'PG_VERSION'), '17\n')
    utimesSync(join(dataDir, 'PG_VERSION'), atime, mtime)
    const before = fingerprint(dataDir)
    const holder = startHolder({ home })
    const failure = await holder.askForFailure('acquire')
    expect(failure.code).to.equal('EMBEDDED_MAJOR')
    expect(failure.message).to.include('PostgreSQL 17').and.include('PostgreSQL 18')
    expect(failure.facts).to.include({ dataMajor: 17, programMajor: 18, at: dataDir })
    expect(failure.facts['do']).to.match(/1\. .*pg_dump[^]*2\. .*move[^]*3\. .*psql/)
    expect(fingerprint(dataDir)).to.deep.equal(before)
    expect(readdirSync(join(home, 'postgres', 'holders'))).to.deep.equal([])
    writeFileSync(join(dataDir, 'PG_VERSION'), '18\n')
    expect((await holder.ask<Acquired>('acquire')).adopted).to.equal(false)
  })

  it('damaged data give a coded error with the last lines of the log, and leave no server and no holder', async () => {
    const { home, dataDir } = await homeWithData()
    truncateSync(join(dataDir, 'global', 'pg_control'), 100)
    const failure = await startHolder({ home }).askForFailure('acquire')
    expect(failure.code).to.equal('EMBEDDED_FAILED')
    expect(failure.message).to.match(/pg_control/)
    expect(failure.facts['log']).to.match(/PANIC|FATAL/)
    expect(hasServer(dataDir)).to.equal(false)
    expect(readdirSync(join(home, 'postgres', 'holders'))).to.deep.equal([])
  })

  it('a home that cannot be made gives a coded error that names it', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder.dir, 'file'), '')
    const home = join(folder.dir, 'file', 'home')
    const failure = await startHolder({ home }).askForFailure('acquire')
    expect(failure).to.have.property('code', 'EMBEDDED_FAILED')
    expect(failure.facts).to.have.property('at', home)
  })

  it('a full disk is told by the text of PostgreSQL as by that of the system', () => {
    const text = '2026-01-01 UTC [1] FATAL:  could not write lock file "postmaster.pid": No space left on device\n'
    expect(embeddedFailure('start failed', { at: '/x', output: text })).to.have.property('code', 'DISK_FULL')
    const cause = new Error('ENOSPC: no space left on device, write')
    expect(embeddedFailure('start failed', { at: '/x', cause })).to.have.property('code', 'DISK_FULL')
    expect(embeddedFailure('start failed', { at: '/x', output: 'FATAL' })).to.have.property('code', 'EMBEDDED_FAILED')
  })

  it('a platform without a package is refused with the name that it would have', async () => {
    for (const [platform, arch, name] of [['sunos', 'x64', 'sunos-x64'], ['win32', 'x64', 'windows-x64']] as const) {
      const error = await platformPackage({ platform, arch }).catch((e: unknown) => e)
      expect(error).to.be.instanceOf(PipelineError)
      expect((error as PipelineError).message).to.include(`@embedded-postgres/${name}`)
    }
    const other = process.platform === 'darwin' ? 'linux' : 'darwin'
    const error = await platformPackage({ platform: other, arch: 'x64' }).catch((e: unknown) => e)
    expect((error as PipelineError).message).to.include('is not installed')
  })

  if (isRoot) {
    it('a home whose database another user made is refused', async () => {
      const home = freshHome()
      mkdirSync(join(home, 'postgres'), { recursive: true })
      chownSync(join(home, 'postgres'), 12_345, 12_345)
      const failure = await startHolder({ home }).askForFailure('acquire')
      expect(failure).to.have.property('code', 'EMBEDDED_FAILED')
      expect(failure.message).to.include('user 12345')
    })
  }

  it('a home that another host uses is refused until that host has been silent for 90 seconds', async () => {
    const { home } = await homeWithData()
    const foreign = join(home, 'postgres', 'holders', newProcessToken().replace(/-[0-9a-f]{8}-/, '-00000000-'))
    writeFileSync(foreign, '{"pid":7,"host":"other-host"}')
    const holder = startHolder({ home })
    const failure = await holder.askForFailure('acquire')
    expect(failure.facts).to.include({ host: 'other-host' })
    const silent = Date.now() / 1000 - 100
    utimesSync(foreign, silent, silent)
    expect((await holder.ask<Acquired>('acquire')).adopted).to.equal(false)
    await holder.ask('release')
  })

  it('a log that has grown too long is cut while the server goes on writing', async () => {
    const home = freshHome()
    const holder = startHolder({ home })
    const { dataDir } = await holder.ask<Acquired>('acquire')
    writeFileSync(join(dataDir, 'server.log'), 'x'.repeat(5 * 1024 * 1024), { flag: 'a' })
    await capServerLog(dataDir)
    expect(statSync(join(dataDir, 'server.log')).size).to.be.lessThan(4096)
    expect(statSync(join(dataDir, 'server.log.1')).size).to.equal(4 * 1024 * 1024)
    await holder.ask('release')
    expect(statSync(join(dataDir, 'server.log')).size, 'what it wrote as it stopped').to.be.greaterThan(0)
  })
})
