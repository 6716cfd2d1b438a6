/**
 * The strict check that `virsh … --validate` asks for: elements, attributes and values that nobody knows are refused (code 92).
 * In places the check is tighter than the parser, as libvirt's is.
 */
import { type ElementForm, FORMS } from './document-forms.ts';
import { DNSMASQ_NAMESPACE, OWN_NAMESPACE } from './own-metadata.ts';
import { PARAMETERS } from './parts/limits-xml.ts';
import { childOf, word } from './text/element-reader.ts';
import { LIBVIRT_CODE, LIBVIRT_DOMAIN, XmlNetworkError } from './text/xml-error.ts';
import type { XmlAttribute, XmlElement } from './text/xml-tree.ts';

/** Elements of these namespaces stand in a network, and are read by others. */
const NAMESPACES = new Set([DNSMASQ_NAMESPACE, OWN_NAMESPACE]);

/** @throws XmlNetworkError with code 92 */
export function checkForm(root: XmlElement, form: keyof typeof FORMS): void {
  check(root, FORMS[form], root.local === 'networkport' ? 'networkport.rng' : 'network.rng');
}

function check(element: XmlElement, form: ElementForm, schema: string): void {
  const { attributes = {}, needs = [], children = {}, many = [], contains = [], text, isOpen = false } = form;
  const { excludes = [], oneOf = [] } = form;
  const { local } = element;
  const fail = (offset: number, message: string, rule: string) =>
    new XmlNetworkError(LIBVIRT_CODE.invalidDocument, `Unable to validate doc against ${schema}\n${message}`, {
      offset,
      domain: LIBVIRT_DOMAIN.xml,
      rule,
    });
  for (const { name, value, offset, namespace } of element.attributes) {
    if (namespace !== '')
      throw fail(offset, `Invalid attribute ${name} for element ${local}`, `<${local}> has no such attribute.`);
    const pattern = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (pattern === undefined) {
      const known = Object.keys(attributes).join(', ') || 'none';
      throw fail(
        offset,
        `Invalid attribute ${name} for element ${local}`,
        `The attributes of <${local}> are: ${known}.`,
      );
    }
    if (!pattern.test(value)) {
      throw fail(
        offset,
        `Element ${local} failed to validate attributes`,
        `${name} cannot be ${JSON.stringify(value.slice(0, 60))}.`,
      );
    }
  }
  const missing = needs.find((name) => !element.attributes.some((one) => one.name === name));
  if (missing !== undefined) {
    throw fail(
      element.offset,
      `Element ${local} failed to validate attributes`,
      `<${local}> has the attribute ${missing}.`,
    );
  }
  if (oneOf.length > 0 && !element.attributes.some(({ name }) => oneOf.includes(name))) {
    const rule = `<${local}> has one of the attributes ${oneOf.join(', ')}.`;
    throw fail(element.offset, `Element ${local} failed to validate attributes`, rule);
  }
  const named = [...element.attributes, ...element.children.filter((child) => child.kind === 'element')];
  const [first, second] = excludes
    .map((name) => named.find((one) => one.name === name))
    .filter((one) => one !== undefined);
  if (first !== undefined && second !== undefined) {
    const rule = `Of ${excludes.join(', ')} one at most stands in <${local}>.`;
    throw fail(second.offset, `Did not expect ${second.name} beside ${first.name} in element ${local}`, rule);
  }
  const parameters = local === 'virtualport' ? oddParameter(element) : undefined;
  if (parameters !== undefined) {
    const rule = 'The parameters of a virtual port are those of its type.';
    throw fail(parameters.offset, `Invalid attribute ${parameters.name} for element parameters`, rule);
  }
  const seen = new Set<string>();
  for (const child of element.children) {
    if (child.kind !== 'element') {
      if (child.kind === 'comment' || text !== undefined || child.text.trim() === '') continue;
      throw fail(child.offset, `Did not expect text in element ${local} content`, `<${local}> has no text.`);
    }
    if (child.namespace !== '') {
      const lacking = isOpen ? undefined : optionWithoutValue(child);
      if (lacking !== undefined) {
        throw fail(
          lacking.offset,
          'Element option failed to validate attributes',
          'An option has the attribute value.',
        );
      }
      if (isOpen || NAMESPACES.has(child.namespace)) continue;
      const rule = 'Elements of other programs stand in <metadata>.';
      throw fail(child.offset, `Did not expect element ${child.name} there`, rule);
    }
    if (isOpen) continue;
    const inner = Object.hasOwn(children, child.local) ? children[child.local] : undefined;
    if (inner === undefined) {
      const known = Object.keys(children).join(', ') || 'none';
      throw fail(
        child.offset,
        `Did not expect element ${child.local} there`,
        `The elements of <${local}> are: ${known}.`,
      );
    }
    if (seen.has(child.local) && !many.includes(child.local)) {
      throw fail(child.offset, `Extra element ${child.local} in interleave`, `<${child.local}> stands once.`);
    }
    seen.add(child.local);
    check(child, inner, schema);
  }
  const absent = contains.find((name) => !seen.has(name));
  if (absent !== undefined) {
    throw fail(element.offset, `Expecting an element ${absent}, got nothing`, `<${local}> contains <${absent}>.`);
  }
  if (text === undefined) return;
  const content = element.children.map((child) => (child.kind === 'text' ? child.text : '')).join('');
  if (!text.test(content)) {
    throw fail(
      element.offset,
      `Error validating value ${JSON.stringify(content.slice(0, 60))}`,
      `The text of <${local}> does not fit.`,
    );
  }
}

/** A parameter that the type of a virtual port does not have. */
function oddParameter(element: XmlElement): XmlAttribute | undefined {
  const type = word(element, 'type');
  const known = type !== undefined && Object.hasOwn(PARAMETERS, type) ? PARAMETERS[type] : undefined;
  if (known === undefined) return undefined;
  return childOf(element, 'parameters')?.attributes.find(({ name }) => !known.includes(name));
}

/** A raw option of dnsmasq that says nothing. */
function optionWithoutValue({ namespace, children }: XmlElement): XmlElement | undefined {
  if (namespace !== DNSMASQ_NAMESPACE) return undefined;
  const options = children.filter((child) => child.kind === 'element');
  return options.find((option) => word(option, 'value') === undefined);
}
