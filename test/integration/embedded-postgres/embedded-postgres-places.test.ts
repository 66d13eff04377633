import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startHolder, type Acquired, type Options } from './holder.js'
import { freshHome, give, hasServer, removeHomes, temporaryFolder } from './homes.js'
import { copyProject } from './project-copy.js'

const isRoot = process.geteuid?.() === 0
const idOf = (which: string): number => Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8' }))
/** Who plays the ordinary user: as root `nobody`, else ourselves. */
const ordinary = (): Pick<Options, 'user'> => (isRoot ? { user: { uid: idOf('-u'), gid: idOf('-g') } } : {})

async function worksIn(o: Options): Promise<Acquired> {
  const holder = startHolder(o)
  const got = await holder.ask<Acquired>('acquire')
  expect(await holder.ask('query')).to.have.property('owner', 'candlelake')
  await holder.ask('release')
  expect(await holder.end()).to.equal(0)
  expect(hasServer(got.dataDir)).to.equal(false)
  return got
}

describe('embedded postgres: wherever the home lies, whoever runs it', () => {
  afterEach(async () => expect(await removeHomes(), 'left running by this test').to.deep.equal([]))

  it('works from a project and a home that nobody else may enter', async () => {
    const folder = temporaryFolder()
    const root = copyProject(join(folder.dir, 'clone'), { links: false })
    chmodSync(root, 0o700)
    chmodSync(folder.dir, 0o700)
    const home = join(root, '.candlelake')
    const { dataDir } = await worksIn(folder.home({ home, root }))
    expect(dataDir.startsWith(home)).to.equal(!isRoot)
    expect(statSync(dataDir).uid === 0).to.equal(false)
    expect(statSync(dataDir).mode & 0o777).to.equal(0o700)
    const told = JSON.parse(readFileSync(join(home, 'postgres', 'location.json'), 'utf8')) as { dataDir: string }
    expect(told.dataDir).to.equal(dataDir)
  })

  it('works under a umask that takes every right of others away', async () => {
    const folder = temporaryFolder()
    const root = copyProject(join(folder.dir, 'clone'), { links: false })
    await worksIn(folder.home({ home: join(root, '.candlelake'), root, secretive: true }))
  })

  for (const links of [true, false]) {
    it(`an ordinary user has all of it in the home, installed ${links ? 'with' : 'without'} scripts`, async () => {
      const folder = temporaryFolder()
      const root = copyProject(join(folder.dir, 'clone'), { links })
      chmodSync(folder.dir, 0o755)
      const home = join(folder.dir, 'home')
      mkdirSync(home, { mode: 0o700 })
      const who = ordinary()
      if (who.user !== undefined) give(home, who.user)
      const options = folder.home({ home, root, ...who })
      const got = await worksIn(options)
      expect(got.dataDir).to.equal(join(home, 'postgres', 'data'))
      expect(got.connection.host).to.equal(join(home, 'postgres', 'socket'))
      const copies = execFileSync('find', [join(home, 'postgres'), '-name', 'initdb'], { encoding: 'utf8' })
      expect(copies === '', 'the program is used where npm put it').to.equal(links)
    })
  }

  it('a home with a long and unusual path works: blanks, quotes, a dollar sign, Chinese', async () => {
    const folder = temporaryFolder()
    const root = copyProject(join(folder.dir, 'clone'), { links: true })
    chmodSync(folder.dir, 0o755)
    const odd = join(folder.dir, `it's "here", $(false) \`false\` 币安`)
    mkdirSync(odd)
    const home = join(odd, 'long-'.repeat(30))
    mkdirSync(home, { mode: 0o700 })
    const who = ordinary()
    if (who.user !== undefined) give(home, who.user)
    const { dataDir, connection } = await worksIn(folder.home({ home, root, ...who }))
    expect(dataDir).to.equal(join(home, 'postgres', 'data'))
    expect(Buffer.byteLength(`${connection.host}/.s.PGSQL.5432`)).to.be.at.most(103)
    expect(existsSync(connection.host), 'the folder of the socket is removed with the server').to.equal(false)
  })

  it('a home that was moved keeps its database', async () => {
    const folder = temporaryFolder()
    const [home, moved] = [join(folder.dir, 'before'), join(folder.dir, 'after')]
    const before = await worksIn({ home })
    renameSync(home, moved)
    const after = await worksIn(folder.home({ home: moved }))
    expect(after.lines.join()).to.not.include('creating')
    if (isRoot) expect(after.dataDir).to.equal(before.dataDir)
  })

  it('a home that was deleted and made again starts empty, and nothing of a temporary one is left behind', async () => {
    const home = freshHome()
    const first = await worksIn({ home })
    rmSync(home, { recursive: true })
    const second = await worksIn({ home })
    expect(second.lines.join()).to.include('creating the embedded database')
    if (!isRoot) return
    expect(second.lines.join()).to.include('left its database')
    rmSync(home, { recursive: true })
    const elsewhere = freshHome()
    await worksIn({ home: elsewhere })
    expect([first.dataDir, second.dataDir].filter((dir) => existsSync(dir))).to.deep.equal([])
  })

  it('a copied home never shares the database of the one it was copied from', async () => {
    const folder = temporaryFolder()
    const [home, copy] = [join(folder.dir, 'home'), join(folder.dir, 'copy')]
    const original = startHolder(folder.home({ home }))
    const { dataDir } = await original.ask<Acquired>('acquire')
    await original.ask('release')
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true })
    if (!isRoot) {
      expect((await worksIn(folder.home({ home: copy }))).dataDir).to.not.equal(dataDir)
      return
    }
    const failure = await startHolder({ home: copy }).askForFailure('acquire')
    expect(failure).to.have.property('code', 'EMBEDDED_FAILED')
    expect(failure.message).to.include('is a copy of')
  })

  it('a release after the home was deleted still stops the server', async () => {
    const home = freshHome()
    const holder = startHolder({ home })
    const { dataDir } = await holder.ask<Acquired>('acquire')
    expect(hasServer(dataDir)).to.equal(true)
    rmSync(home, { recursive: true })
    await holder.ask('release')
    expect(hasServer(dataDir)).to.equal(false)
    expect(await holder.end()).to.equal(0)
  })
})
