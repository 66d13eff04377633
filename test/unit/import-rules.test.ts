import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../../..')
const SRC = join(ROOT, 'src')

/** What each part of `src` may import, beside itself. `compose.ts` is the only place that joins adapters. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  jobs: ['domain'],
  queues: ['domain', 'jobs'],
  workers: ['domain', 'jobs'],
  'workers/runtime': ['domain', 'jobs', 'queues', 'workers'],
  sources: ['domain'],
  adapters: ['domain', 'sources'],
  exports: ['domain'],
  lake: ['domain'],
  'archive-server': ['domain'],
  observability: ['domain'],
  server: ['domain', 'jobs', 'queues', 'observability', 'workers'],
  cli: ['domain', 'jobs', 'queues', 'observability', 'workers', 'server', 'archive-server', 'lake', 'exports', 'config',
    'compose', 'version'],
  config: ['domain'],
  compose: ['domain', 'jobs', 'queues', 'workers', 'workers/runtime', 'adapters', 'archive-server', 'observability',
    'server', 'lake', 'exports', 'config', 'cli', 'version'],
  version: [],
  client: ['domain', 'exports', 'compose'],
  index: ['domain', 'jobs', 'queues', 'lake', 'exports', 'compose', 'config', 'cli'],
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
const IMPORT = /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?'(\.[^']+)'|import\('(\.[^']+)'\)/g

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(IMPORT)].map((m) => {
    const target = resolve(dirname(join(SRC, file)), (m[1] ?? m[2] ?? '').replace(/\.js$/, '.ts'))
    return relative(SRC, target)
  })
}

function partOf(file: string): string {
  if (file.startsWith('workers/runtime')) return 'workers/runtime'
  const [top = ''] = file.split('/')
  return top.replace(/\.ts$/, '').replace(/^compose-.*/, 'compose')
}

const adapterOf = (file: string): string => file.split('/').slice(0, 2).join('/')

function breaksRule(from: string, to: string): boolean {
  const [a, b] = [partOf(from), partOf(to)]
  if (a === 'adapters' && b === 'adapters') return adapterOf(from) !== adapterOf(to)
  if (a === b) return false
  return !(ALLOWED[a] ?? []).includes(b)
}

function circles(): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (path.includes(file) || done.has(file)) return
    for (const next of importsOf(file)) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  return found
}

describe('import rules', () => {
  it('sees the imports that it judges', () => {
    expect(files.length).to.be.greaterThan(30)
    expect(importsOf('workers/download.ts')).to.include('domain/names.ts')
    expect(breaksRule('domain/plan.ts', 'queues/policy.ts')).to.equal(true)
    expect(breaksRule('adapters/binance/http.ts', 'adapters/file-store/file-staging.ts')).to.equal(true)
    expect(breaksRule('workers/convert.ts', 'adapters/binance/http.ts')).to.equal(true)
  })

  it('imports only point inwards', () => {
    const broken = files.flatMap((from) => importsOf(from).filter((to) => breaksRule(from, to)).map((to) => `${from} imports ${to}`))
    expect(broken).to.deep.equal([])
  })

  it('imports never run in a circle', () => {
    expect(circles()).to.deep.equal([])
  })

  it('the environment is read in config.ts only', () => {
    const readers = files.filter((file) => /process\.env\b/.test(readFileSync(join(SRC, file), 'utf8')))
    expect(readers.filter((file) => file !== 'config.ts')).to.deep.equal([])
  })

  it('enqueueing loads neither DuckDB nor the AWS SDK', () => {
    const reached = new Set<string>()
    const packages = new Set<string>()
    const visit = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const m of readFileSync(join(SRC, file), 'utf8').matchAll(/from '([^.'][^']*)'/g)) packages.add(m[1] ?? '')
      importsOf(file).forEach(visit)
    }
    files.filter((file) => file.startsWith('queues/')).forEach(visit)
    expect([...packages].filter((name) => /duckdb|aws-sdk/.test(name))).to.deep.equal([])
    expect(packages).to.include('bullmq')
  })

  it('acceptance tests see the program from outside only', () => {
    const dir = join(SRC, '../test/acceptance')
    const tests = readdirSync(dir)
    expect(tests.length).to.be.greaterThan(5)
    const inside = tests.filter((name) => /from '[^']*\/src\//.test(readFileSync(join(dir, name), 'utf8')))
    expect(inside).to.deep.equal([])
  })

  it('no file is longer than 400 lines, and nine of ten have at most 250', () => {
    const lengths = files.map((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length)
    expect(Math.max(...lengths)).to.be.at.most(400)
    expect(lengths.filter((length) => length <= 250).length / lengths.length).to.be.at.least(0.9)
  })
})
