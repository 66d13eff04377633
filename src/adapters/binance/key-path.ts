import type { ArchiveKey } from '../../domain/archive-names.js'

/** The path of a key in a URL, each segment percent-encoded (symbols may be unicode); begins with `/`. */
export const encodeKey = (key: ArchiveKey): string => `/${key.split('/').map(encodeURIComponent).join('/')}`
