/**
 * What a machine boots: the file `flavor` in its folder, or in that of one of its groups, or the key `flavor` in host0.conf. The
 * machine's own word counts before those of its groups, and of these the last one.
 */
import { MeshError } from '../../model/error.ts';
import { nearest } from '../conf/nearest.ts';
import { readList } from './tree-files.ts';

/** All flavors. */
export const FLAVORS = ['debian', 'alpine'] as const;
/** `debian`: the node image, which host0 builds. `alpine`: Alpine's own diskless boot, from host0's mirror. */
export type Flavor = (typeof FLAVORS)[number];

/** The rule of a flavor, for errors. */
export const FLAVOR_RULE = `A flavor is ${FLAVORS.join(' or ')}.`;

/** Whether a word names a flavor. */
export function isFlavor(word: string): word is Flavor {
  return FLAVORS.some((flavor) => flavor === word);
}

/** The flavor that a file names; undefined if there is no file, and if it names none, which is an error. */
export function readFlavor(file: string, errors: MeshError[]): Flavor | undefined {
  const [first, second] = readList(file, errors);
  if (first === undefined) return undefined;
  if (second === undefined && isFlavor(first.text)) return first.text;
  const { text, place } = second ?? first;
  errors.push(
    new MeshError('MESH_MACHINE_FOLDER', `${JSON.stringify(text.slice(0, 40))} is no flavor`, {
      rule: second === undefined ? FLAVOR_RULE : `${FLAVOR_RULE} The file has one word.`,
      remedy: second === undefined ? `Write ${nearest(text, FLAVORS) ?? 'alpine'}` : 'Remove this line',
      place,
    }),
  );
  return undefined;
}
