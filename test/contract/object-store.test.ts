import { openFileObjectStore } from '../../src/adapters/file-store/file-object-store.js'
import { tempFolder } from '../support/temp-folder.js'
import { objectStoreContract } from './object-store.contract.js'

objectStoreContract({
  name: 'a folder',
  open: async () => {
    const folder = await tempFolder()
    const store = await openFileObjectStore({ url: folder.path })
    return { store, close: () => folder.remove() }
  },
})
