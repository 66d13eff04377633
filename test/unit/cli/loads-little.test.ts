import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const SRC = resolve(import.meta.dirname, '../../../../src')
const STATIC = /(?:^|\n)(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'([^']+)'/g

/** Packages and files that a file loads before it does anything, or `later` too; types load nothing. */
function loadedBy(entry: string, o: { later?: boolean } = {}): { packages: ReadonlySet<string>; files: ReadonlySet<string> } {
  const [packages, files] = [new Set<string>(), new Set<string>()]
  const imports = new RegExp(`${STATIC.source}${o.later ? `|import\\('([^']+)'\\)` : ''}`, 'g')
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const [, first, second = ''] of readFileSync(file, 'utf8').matchAll(imports)) {
      const from = first ?? second
      if (from.startsWith('.')) visit(resolve(dirname(file), from.replace(/\.js$/, '.ts')))
      else packages.add(from)
    }
  }
  visit(join(SRC, entry))
  return { packages, files }
}

describe('what the command line loads for --help', () => {
  it('is commander and colours: no schema, database, queue or engine', () => {
    const { packages, files } = loadedBy('cli/main.ts')
    expect([...packages].filter((name) => !name.startsWith('node:')).sort()).to.deep.equal(['commander', 'picocolors'])
    expect(files.size).to.be.greaterThan(20)
  })

  it('leaves the AWS SDK and DuckDB to those who use a bucket or an engine', () => {
    const { packages } = loadedBy('compose.ts')
    expect([...packages].filter((name) => /^@aws-sdk|^@smithy|^@duckdb/.test(name))).to.deep.equal([])
    expect(loadedBy('adapters/s3-store/s3-object-store.ts').packages).to.include('@aws-sdk/client-s3')
  })

  it('would be seen here if it were more', () => {
    expect(loadedBy('config/schemas.ts').packages).to.include('zod')
    expect(loadedBy('compose.ts').packages).to.include('pg')
  })
})

describe('what candlelake/client loads, at any time', () => {
  it('is a client of HTTP, a reader of ZIPs and a schema: no DuckDB, no AWS SDK, no database', () => {
    const { packages, files } = loadedBy('client.ts', { later: true })
    expect([...packages].filter((name) => !name.startsWith('node:')).sort())
      .to.deep.equal(['fast-xml-parser', 'undici', 'unzipper', 'zod'])
    expect(files.size).to.be.greaterThan(40)
  })

  it('would be seen here if it were more', () => {
    expect(loadedBy('compose.ts', { later: true }).packages).to.include('@duckdb/node-api')
  })
})
