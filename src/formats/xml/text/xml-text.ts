/** Prints XML: the one place where text becomes XML. */

/** A part of a document that is already XML. Only this file makes one. */
export interface XmlLines {
  readonly lines: readonly string[];
}

/** Values of attributes; what is undefined is left out. */
export type XmlAttributes = Readonly<Record<string, string | number | undefined>>;

/** Beside the characters that mean something, blanks that a parser would change, and characters that no document has. */
const MARKS: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
};
/** What XML 1.0 cannot say in any way (§2.2). */
const IMPOSSIBLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** A text between elements. */
export function xmlText(text: string): string {
  return text
    .replaceAll(IMPOSSIBLE, '\ufffd')
    .replaceAll(/[&<>'"]/g, (mark) => MARKS[mark] ?? mark)
    .replaceAll('\r', '&#xD;');
}

/** Where a text has a character that XML cannot say; -1 where it has none. */
export function impossibleAt(text: string): number {
  return text.search(IMPOSSIBLE);
}

/** Whether XML can say the text. */
export function isXmlText(text: string): boolean {
  return impossibleAt(text) === -1;
}

function attributesText(attributes: XmlAttributes): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}='${xmlText(String(value)).replaceAll(/[\n\t]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16).toUpperCase()};`)}'`,
    )
    .join('');
}

/** An element without content, or with further elements. Without any, it is closed at once. */
export function xmlElement(name: string, attributes: XmlAttributes, children: readonly XmlLines[] = []): XmlLines {
  const start = `<${name}${attributesText(attributes)}`;
  if (children.length === 0) return { lines: [`${start}/>`] };
  return xmlContainer(name, attributes, children);
}

/** An element with an end of its own, also where it is empty. */
export function xmlContainer(name: string, attributes: XmlAttributes, children: readonly XmlLines[]): XmlLines {
  const inner = children.flatMap(({ lines }) => lines.map((line) => `  ${line}`));
  return { lines: [`<${name}${attributesText(attributes)}>`, ...inner, `</${name}>`] };
}

/** An element with a text in it. The text may have several lines. */
export function xmlTextElement(name: string, text: string): XmlLines {
  return { lines: [`<${name}>${xmlText(text)}</${name}>`] };
}

/** The document. */
export function xmlDocument({ lines }: XmlLines): string {
  return `${lines.join('\n')}\n`;
}
