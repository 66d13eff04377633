// Lets `npx candlelake` find this program in its own checkout: npm links the binaries of dependencies, not of the project.
import { mkdir, rm, symlink } from 'node:fs/promises'

const link = new URL('../node_modules/.bin/candlelake', import.meta.url)
await mkdir(new URL('.', link), { recursive: true })
await rm(link, { force: true })
await symlink('../../bin/candlelake.js', link)
