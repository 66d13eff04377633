import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('../src/archive-server/main.js', import.meta.url))

/** An archive server in a process of its own, on a free port. */
export type ArchiveProcess = { readonly url: string; close(): Promise<void> }

/** Serves a folder that holds `data/…`; the server says its address on its first line. */
export async function serveArchive(root: string, faults: readonly string[] = []): Promise<ArchiveProcess> {
  const child = spawn(process.execPath, [ENTRY, '--root', root, '--port', '0', ...faults], { stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = /http:\/\/\S+/.exec(said)?.[0]
      if (found !== undefined) resolve(found)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the archive server ended with ${code ?? 'a signal'}: ${said}`)))
  })
  return {
    url,
    close: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
}
