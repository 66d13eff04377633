/**
 * A lake's address as the catalog keeps and compares it: without credentials, query and a slash at the end. Text that
 * is no URL stays as it is.
 */
export function lakeAddressOf(url: string): string {
  if (!URL.canParse(url)) return url
  const at = new URL(url)
  at.username = ''
  at.password = ''
  at.search = ''
  at.hash = ''
  return at.href.replace(/\/+$/, '')
}
