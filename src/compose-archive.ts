import { ArchiveReader, type ReaderSettings } from './adapters/binance/archive-reader.js'
import { httpOptionsOf } from './compose-http.js'
import { loadConfig, type Config } from './config.js'

/**
 * The Binance public archive, or a server with its layout, read directly: no lake, database or queue. Addresses, time
 * limits, proxies and authorities are those of the environment and `.env`; `archiveUrl` goes before them.
 */
export class BinanceArchive extends ArchiveReader {
  constructor({ archiveUrl }: { readonly archiveUrl?: string } = {}) {
    const given = archiveUrl === undefined ? {} : { ARCHIVE_URL: archiveUrl }
    super(async () => readerSettingsOf((await loadConfig(given)).config))
  }
}

/** What an archive reader has to know, from the configuration. */
export const readerSettingsOf = (config: Config): ReaderSettings => ({
  ...httpOptionsOf(config),
  archiveUrl: config.archiveUrl,
  listUrl: config.archiveListUrl,
  maxBytes: config.archiveMaxFileBytes,
})
