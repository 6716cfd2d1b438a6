/** Prints elements of other programs again, as libxml2 does: with double quotes, and indented where no text is between elements. */
import { type NamespaceScope, namespaceIn } from './namespace-scope.ts';
import { type XmlLines, xmlText } from './xml-text.ts';
import { isXmlName, isXmlPrefix, type XmlElement, XmlFault } from './xml-tree.ts';

/**
 * The element with all that is in it. Namespaces that an element around it declares are declared here.
 * @throws XmlFault for a name that no document can have
 */
export function copyOf(element: XmlElement, scope?: NamespaceScope): XmlLines {
  const { start, inner } = startOf(element, scope);
  const children = element.children.filter((child) => child.kind !== 'text' || child.text.trim() !== '');
  if (children.length === 0) return { lines: [`<${start}/>`] };
  if (children.some(({ kind }) => kind === 'text')) return { lines: [inlineOf(element, scope)] };
  const lines = children.flatMap((child) =>
    child.kind === 'element' ? copyOf(child, inner).lines : [`<!--${child.text}-->`],
  );
  return { lines: [`<${start}>`, ...lines.map((line) => `  ${line}`), `</${element.name}>`] };
}

/** On one line, with blanks as they are. */
function inlineOf(element: XmlElement, scope: NamespaceScope | undefined): string {
  const { start, inner } = startOf(element, scope);
  if (element.children.length === 0) return `<${start}/>`;
  const content = element.children.map((child) => {
    if (child.kind === 'element') return inlineOf(child, inner);
    return child.kind === 'comment' ? `<!--${child.text}-->` : plain(child.text);
  });
  return `<${start}>${content.join('')}</${element.name}>`;
}

function startOf(
  element: XmlElement,
  scope: NamespaceScope | undefined,
): { readonly start: string; readonly inner: NamespaceScope } {
  const needed = new Map(element.declared);
  const inner = { declared: needed, outer: scope };
  for (const { name, namespace } of [element, ...element.attributes.filter((one) => one.name.includes(':'))]) {
    const prefix = name.includes(':') ? (name.split(':', 1)[0] ?? '') : '';
    if (prefix === 'xml' || (namespaceIn(inner, prefix) ?? '') === namespace) continue;
    needed.set(prefix, namespace);
  }
  // Names have no quoting: one that is none would be other elements and attributes.
  const names = [element.name, ...element.attributes.map(({ name }) => name)];
  const wrong =
    names.find((name) => !isXmlName(name)) ??
    [...needed.keys()].find((prefix) => prefix !== '' && !isXmlPrefix(prefix));
  if (wrong !== undefined) throw new XmlFault(element.offset, `'${wrong}' is no name of an element or attribute`);
  const declarations = Array.from(
    needed,
    ([prefix, namespace]) => ` xmlns${prefix && `:${prefix}`}="${quoted(namespace)}"`,
  );
  const attributes = element.attributes.map(({ name, value }) => ` ${name}="${quoted(value)}"`);
  return { start: `${element.name}${declarations.join('')}${attributes.join('')}`, inner };
}

/** Apostrophes and quotes mean nothing between elements. */
function plain(text: string): string {
  return xmlText(text).replaceAll('&apos;', "'").replaceAll('&quot;', '"');
}

function quoted(value: string): string {
  return xmlText(value)
    .replaceAll('&apos;', "'")
    .replaceAll(/[\n\t]/g, (sign) => (sign === '\n' ? '&#10;' : '&#9;'));
}
