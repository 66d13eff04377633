import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { openFileObjectStore, type FileObjectStore } from '../../../../src/adapters/file-store/file-object-store.js'
import { tempFolder } from '../../../support/temp-folder.js'

const PROGRAM = join(import.meta.dirname, 'put-process.js')

describe('a file object store of several processes', function () {
  this.timeout(60_000)
  let home: { path: string; remove(): Promise<void> }
  let root: string
  let store: FileObjectStore
  const children: ChildProcess[] = []
  let files = 0

  beforeEach(async () => {
    home = await tempFolder()
    root = join(home.path, 'lake')
    store = await openFileObjectStore({ url: root, create: true })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
    await home.remove()
  })

  /** A process that has read its file and waits for `go` to put it. */
  const putter = async (key: string, content: Buffer) => {
    const path = join(home.path, `local-${files++}`)
    await writeFile(path, content)
    const child = spawn(process.execPath, [PROGRAM, root, key, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    let output = ''
    child.stdout.on('data', (text: Buffer) => (output += text.toString()))
    while (!output.includes('ready')) await once(child.stdout, 'data')
    return { child, go: () => child.stdin.end('go\n'), said: async () => (await once(child, 'close'), output.trim()) }
  }

  it('lets one of them fill an empty place, and tells the others', async () => {
    const contents = ['a', 'b', 'c', 'd'].map((text) => Buffer.alloc(200_000, text))
    const putters = await Promise.all(contents.map((content) => putter('k/data', content)))
    const said = putters.map((one) => one.said())
    for (const one of putters) one.go()
    const outcomes = (await Promise.all(said)).map((text) => text.replace('ready\n', ''))
    expect(outcomes.toSorted()).to.deep.equal([...Array<string>(3).fill('PRECONDITION_FAILED'), 'won'])
    const winner = contents[outcomes.indexOf('won')]
    expect((await readFile(join(root, 'k/data'))).equals(winner ?? Buffer.alloc(0))).to.equal(true)
    expect(await readdir(join(root, '.tmp'))).to.deep.equal([])
  })

  it('shows nothing of a write whose process was killed, and sweeps what it left', async () => {
    const one = await putter('k/data', Buffer.alloc(300_000_000, 'x'))
    one.go()
    while ((await unfinishedBytes()) === 0) await sleep(1)
    one.child.kill('SIGKILL')
    expect(await one.said()).to.equal('ready')
    expect(await unfinishedBytes(), 'the kill came in the middle').to.be.within(1, 299_999_999)
    expect(await store.head('k/data')).to.equal(null)
    for await (const { key } of store.list('')) expect.fail(`${key} is listed`)
    expect(await store.sweep(0)).to.equal(1)
    expect(await readdir(root)).to.deep.equal(['.tmp'])
  })

  async function unfinishedBytes(): Promise<number> {
    const names = await readdir(join(root, '.tmp')).catch(() => [])
    return names[0] === undefined ? 0 : (await stat(join(root, '.tmp', names[0]))).size
  }
})
