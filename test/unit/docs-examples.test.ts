import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const ROOT = resolve(import.meta.dirname, '../../..')
const EXAMPLE = /```ts\n(.*?)```/gs

/** The examples of a page, each as a file beside it that is on no disk. */
function examplesOf(page: string): Map<string, string> {
  const texts = [...readFileSync(join(ROOT, 'docs', page), 'utf8').matchAll(EXAMPLE)].map(([, text = '']) => text)
  return new Map(texts.map((text, n) => [join(ROOT, 'docs', `${page}-${n + 1}.ts`), text]))
}

/** What the compiler has to say of examples, by the declarations that the build made. */
function complaints(examples: ReadonlyMap<string, string>): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: true,
  }
  const host = ts.createCompilerHost(options)
  const [getSourceFile, fileExists, readFile] = [
    host.getSourceFile.bind(host),
    host.fileExists.bind(host),
    host.readFile.bind(host),
  ]
  host.getSourceFile = (name, version, ...more) =>
    examples.has(name)
      ? ts.createSourceFile(name, examples.get(name) ?? '', version)
      : getSourceFile(name, version, ...more)
  host.fileExists = (name) => examples.has(name) || fileExists(name)
  host.readFile = (name) => examples.get(name) ?? readFile(name)
  const program = ts.createProgram([...examples.keys()], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ messageText, file, start }) =>
        `${file?.fileName.slice(ROOT.length + 1) ?? ''}:${start ?? 0} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
}

describe('examples in docs', function () {
  this.timeout(120_000)

  it('compile', () => {
    const examples = new Map([...examplesOf('library.md'), ...examplesOf('hot.md')])
    expect(examples.size).to.be.greaterThan(5)
    expect(complaints(examples)).to.deep.equal([])
  })

  it('would be refused if they were wrong', () => {
    const wrong = new Map([
      [
        join(ROOT, 'docs/wrong.ts'),
        `import { ParquetLake } from 'candlelake'\nParquetLake.open(5)\nexport const x: string = 1`,
      ],
    ])
    const found = complaints(wrong)
    expect(found).to.have.length(2)
    expect(found[0]).to.include(`'number' is not assignable to parameter of type 'string'`)
  })
})
