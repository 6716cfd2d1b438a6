/** Networks as YAML: orders that people write, and networks that they read and edit. */
import { Document, isScalar, Scalar, visit } from 'yaml';
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { hasActing, quietJson } from '../../protocol/documents/terminal-text.ts';
import { judgedOrder, placeAt } from './written-network.ts';
import { parseYaml } from './yaml-document.ts';

/**
 * Reads a document, and judges what can be judged without host0.
 * @param file its name, for errors
 * @throws MESH_CONF_*, MESH_NET_INVALID with the place in the file
 */
export function readNetworkYaml(file: string, text: string): NetworkOrder {
  const { value, offsetOf, wordAt } = parseYaml(file, text);
  return judgedOrder({
    document: value,
    placeOf: (path) => placeAt(file, text, offsetOf(path)),
    wordAt,
    rule: 'A network is lines of `key: value`, with a blank after the colon.',
    example: 'name: blue',
  });
}

/** The whole network as a document that can be applied. What is empty, or follows from the number, is left out. */
export function networkYaml(network: Network): string {
  const { id: _, source, name, number, title, description, type, peers, mtuBytes, ...parts } = network;
  const isFull = ([, part]: [string, unknown]) => ![undefined, '{}', '[]'].includes(JSON.stringify(part));
  // What people change most often stands first.
  const whole = Object.entries({ name, number, title, description, type, peers, mtuBytes, ...parts }).filter(isFull);
  if (source !== 'store') whole.push(['source', source]);
  // Readers of YAML 1.1 take `no` and `12:30` for something else than texts: such texts are in quotes.
  const document = new Document(Object.fromEntries(whole), {
    version: '1.2',
    schema: 'core',
    compat: 'yaml-1.1',
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === 'string' && hasActing(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const numbered = document.get('number', true);
  // Devices of a mesh have its number in decimal, those of all others in hexadecimal.
  if (isScalar(numbered) && source !== 'file') numbered.format = 'HEX';
  return quietJson(document.toString({ lineWidth: 0 }));
}
