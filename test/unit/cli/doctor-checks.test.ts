import { expect } from 'chai'
import { readdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { openFileStaging } from '../../../src/adapters/file-store/file-staging.js'
import type { App } from '../../../src/cli/app.js'
import { CHECKS, runCheck, type Check } from '../../../src/cli/doctor-checks.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { parseLakeKey } from '../../../src/domain/names.js'
import type { ObjectStore } from '../../../src/domain/ports/object-store.js'
import { tempFolder } from '../../support/temp-folder.js'

const app = (over: Partial<App>): App => over as App

function checkOf(name: string): Check {
  const check = CHECKS.find((one) => one.name === name)
  if (!check) throw new Error(`there is no check ${name}`)
  return check
}

describe('checks of doctor', () => {
  it('look at every service, in the order in which they depend on each other', () => {
    expect(CHECKS.map(({ name }) => name)).to.deep.equal([
      'catalog',
      'queue',
      'lake',
      'staging',
      'archive',
      'listing',
      'engine',
      'clock',
    ])
  })

  it('say what answers', async () => {
    const finding = await runCheck(
      checkOf('catalog'),
      app({ describeCatalog: () => Promise.resolve('embedded Postgres 18.4') }),
      5_000,
    )
    expect(finding).to.deep.equal({ name: 'catalog', ok: true, detail: 'embedded Postgres 18.4', do: null })
  })

  it('turn an error into what failed, where, and what to do', async () => {
    const down = (facts: Record<string, string>) => app({
      describeCatalog: () => Promise.reject(new PipelineError('CATALOG_UNREACHABLE', 'password refused', facts)),
    })
    expect(
      await runCheck(checkOf('catalog'), down({ at: 'lake@db:5432', do: 'correct DATABASE_URL' }), 5_000),
    ).to.deep.equal({ name: 'catalog', ok: false, detail: 'lake@db:5432 password refused', do: 'correct DATABASE_URL' })
    expect((await runCheck(checkOf('catalog'), down({}), 5_000)).do).to.equal(
      'start it, or correct or unset DATABASE_URL',
    )
  })

  it('fail a service that does not answer', async () => {
    const finding = await runCheck(checkOf('engine'), app({ askEngine: () => new Promise(() => undefined) }), 20)
    expect([finding.ok, finding.detail]).to.deep.equal([false, 'no answer in 0.0s'])
  })

  it('see a clock that is wrong', async () => {
    const off = (ms: number) => app({ askArchive: () => Promise.resolve({ date: new Date(Date.now() + ms) }) })
    expect((await runCheck(checkOf('clock'), off(5_000), 5_000)).ok).to.equal(true)
    const wrong = await runCheck(checkOf('clock'), off(-3_600_000), 5_000)
    expect([wrong.ok, wrong.detail]).to.deep.equal([false, '1h00m away from the archive'])
    expect(
      (await runCheck(checkOf('clock'), app({ askArchive: () => Promise.resolve({ date: null }) }), 5_000)).ok,
    ).to.equal(true)
  })

  it('see a lake whose answers are other bytes, and leave nothing behind but what a sweep removes', async () => {
    const folder = await tempFolder()
    const lake = await openFileObjectStore({ url: folder.path })
    const checked = async (over: Partial<ObjectStore>) => await runCheck(checkOf('lake'), app({
      askOwner: () => Promise.resolve(),
      lake: () => Promise.resolve(Object.assign(Object.create(lake) as ObjectStore, {
        url: lake.url, put: lake.put.bind(lake), get: lake.get.bind(lake), delete: lake.delete.bind(lake), ...over,
      })),
    }), 5_000)
    const keys = async (): Promise<string[]> => {
      const all: string[] = []
      for await (const { key } of lake.list('')) all.push(key)
      return all
    }
    expect((await checked({})).ok).to.equal(true)
    const other = await checked({ get: () => Promise.resolve(Readable.from(['other'])) })
    expect([other.ok, other.detail.endsWith('what is read is not what was written')]).to.deep.equal([false, true])
    const silent = await checked({ get: () => Promise.reject(new PipelineError('STORE_UNREACHABLE', 'away')) })
    expect([silent.ok, await keys()]).to.deep.equal([false, []])
    await checked({ delete: () => Promise.reject(new PipelineError('STORE_UNREACHABLE', 'away')) })
    const [left, ...more] = await keys()
    expect([parseLakeKey(left ?? '')?.kind, more]).to.deep.equal(['incoming', []])
    await folder.remove()
  })

  it('see staging without the room that it may take', async () => {
    const folder = await tempFolder()
    const staging = await openFileStaging({ url: folder.path })
    const room = (free: number | null) =>
      app({
        config: { stagingUrl: 'file:///s', stagingMaxBytes: 4 * 1024 ** 3 } as App['config'],
        askOwner: () => Promise.resolve(),
        staging: () => Promise.resolve(Object.assign(Object.create(staging) as typeof staging, {
          scratch: staging.scratch.bind(staging), keep: staging.keep.bind(staging), open: staging.open.bind(staging),
          clear: staging.clear.bind(staging), freeBytes: () => Promise.resolve(free),
        })),
      })
    expect((await runCheck(checkOf('staging'), room(5 * 1024 ** 3), 5_000)).detail).to.equal('file:///s has 5 GiB free')
    const small = await runCheck(checkOf('staging'), room(1024 ** 3), 5_000)
    expect([small.ok, small.do]).to.deep.equal([false, 'free 3 GiB, or lower STAGING_MAX_BYTES (4 GiB)'])
    expect((await runCheck(checkOf('staging'), room(null), 5_000)).detail).to.equal('file:///s is writable')
    expect(await readdir(folder.path), 'what the checks left').to.deep.equal([])
    await folder.remove()
    const gone = await runCheck(checkOf('staging'), room(null), 5_000)
    expect([gone.ok, gone.detail.includes('cannot be used')]).to.deep.equal([false, true])
  })
})
