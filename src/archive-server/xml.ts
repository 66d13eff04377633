/** Text as the content of an XML element; control characters become references, as the bucket writes them. */
export const escapeXml = (text: string): string =>
  text.replace(/[&<>"'\u0000-\u001f]/g, (c) => ENTITIES[c] ?? `&#x${c.charCodeAt(0).toString(16)};`)

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** `<name>escaped text</name>` */
export const element = (name: string, text: string | number | boolean): string =>
  `<${name}>${escapeXml(String(text))}</${name}>`

export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** The bucket's error document. */
export const errorXml = (code: string, message: string, facts: Readonly<Record<string, string>> = {}): string => {
  const details = Object.entries(facts).map(([name, text]) => element(name, text))
  return `${XML_HEAD}<Error>${element('Code', code)}${element('Message', message)}${details.join('')}</Error>`
}
