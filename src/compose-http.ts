import type { HttpOptions } from './adapters/binance/http-options.js'
import type { Config } from './config.js'
import { VERSION } from './version.js'

const MS = 1_000

/** How this process talks to the archive: time limits, proxies and authorities from the configuration. */
export function httpOptionsOf(config: Config): HttpOptions {
  return {
    userAgent: `candlelake/${VERSION}`,
    timeouts: {
      connectMs: config.archiveConnectTimeoutSeconds * MS,
      headersMs: config.archiveHeadersTimeoutSeconds * MS,
      bodyIdleMs: config.archiveIdleTimeoutSeconds * MS,
    },
    httpProxy: config.httpProxy,
    httpsProxy: config.httpsProxy,
    noProxy: config.noProxy,
    caFile: config.nodeExtraCaCerts,
  }
}
