import { openFileStaging } from '../../src/adapters/file-store/file-staging.js'
import { tempFolder } from '../support/temp-folder.js'
import { stagingContract } from './staging.contract.js'

stagingContract({
  name: 'a folder',
  open: async () => {
    const folder = await tempFolder()
    const open = () => openFileStaging({ url: folder.path })
    return { staging: await open(), reopen: open, close: () => folder.remove() }
  },
})
