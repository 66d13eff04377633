import { expect } from 'chai'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './archive-under-test.js'

const MAIN = fileURLToPath(new URL('../../../src/archive-server/main.js', import.meta.url))

type Run = {
  readonly child: ChildProcess
  readonly out: Promise<string>
  readonly err: Promise<string>
  readonly exit: Promise<unknown[]>
}

function start(args: string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  return { child, out: text(child.stdout), err: text(child.stderr), exit: once(child, 'close') }
}

async function finish(args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const run = start(args)
  const [code] = await run.exit
  return { code, out: await run.out, err: await run.err }
}

describe('archive-server, the command', function () {
  this.timeout(20_000)
  let root: string
  before(async () => {
    root = await temporaryFolder()
    await mkdir(join(root, 'data'))
    await writeFile(join(root, 'data/one.zip'), 'content')
  })
  after(() => rm(root, { recursive: true, force: true }))

  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    it(`prints one line with its URL, serves with the faults asked for, and exits ${code} on ${signal}`, async () => {
      const faults = ['--too-many-requests', '1', '--retry-after-seconds', '3', '--match', 'one']
      const run = start(['--root', root, '--port', '0', ...faults])
      const [line] = (await once(run.child.stdout ?? run.child, 'data')) as [Buffer]
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line.toString())?.[0] ?? ''
      const [first, second] = [await fetch(`${url}/data/one.zip`), await fetch(`${url}/data/one.zip`)]
      expect([first.status, first.headers.get('retry-after'), second.status]).to.deep.equal([429, '3', 200])
      expect(await first.text()).to.include('TooManyRequests')
      expect(await second.text()).to.equal('content')
      run.child.kill(signal)
      expect((await run.exit)[0]).to.equal(code)
      expect(await run.out).to.equal(`archive server at ${url} serves ${root}\n`)
      expect(await run.err).to.equal('')
    })
  }

  it('listens where --host says', async () => {
    const run = start(['--root', root, '--port', '0', '--host', 'localhost'])
    const [line] = (await once(run.child.stdout ?? run.child, 'data')) as [Buffer]
    const url = /http:\/\/localhost:\d+/.exec(line.toString())?.[0] ?? ''
    expect(await (await fetch(`${url}/data/one.zip`)).text()).to.equal('content')
    run.child.kill('SIGTERM')
    expect((await run.exit)[0]).to.equal(143)
  })

  it('shows every flag and an example with --help', async () => {
    const { code, out } = await finish(['--help'])
    expect(code).to.equal(0)
    const parts = ['npm run archive-server -- --root', '--latency-ms N', '--stall-after-bytes N', '--seed N']
    for (const part of parts) expect(out).to.include(part)
  })

  it('says what is wrong, where, and what to do, and exits 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const port = String((taken.address() as AddressInfo).port)
    const cases = [
      [[], 'BAD_USAGE', '--root'], [['--root', root, '--port', 'x'], 'BAD_USAGE', '--port'],
      [['--root', root, '--error-rate', '1.5'], 'BAD_USAGE', '--error-rate'], [['--rot', root], 'BAD_USAGE', '--rot'],
      [['--root', join(root, 'data')], 'BAD_CONFIG', '--root'], [['--root', root, '--port', port], 'BAD_CONFIG', port],
      [['--root', root, '--error-rate', '1', '--error-status', '200'], 'BAD_CONFIG', 'errorStatus'],
    ] as const
    try {
      for (const [args, errorCode, named] of cases) {
        const { code, out, err } = await finish([...args])
        expect([code, out], err).to.deep.equal([1, ''])
        expect(err).to.match(new RegExp(`^error ${errorCode}: .+\n  .*do: .+\n$`)).and.include(named)
      }
    } finally {
      taken.close()
    }
  })
})
