/** What a net set-up has printed: words of QEMU's command line, which add one card to a machine. Pure. */
import { MeshError } from '../../model/error.ts';

/** The options that a net set-up may give. Each takes one word. */
const ALLOWED = ['-netdev', '-device', '-nic', '-net', '-chardev', '-object'] as const;
const ADDS_CARD = new Set(['-device', '-nic', '-net']);
/** One card needs three options. */
const LENGTH_MAX = 16_384;
const SHOWN_MAX = 200;

/**
 * The words that a net set-up has printed. They are separated by blanks, as a shell would split them, and nothing is quoted.
 * @param script its path, for errors
 * @param call the machine and the net that it was called with
 * @throws MESH_LAB_NET_SETUP for anything else than options that add a card
 */
export function printedOptions(script: string, call: string, printed: string): string[] {
  const refuse = (what: string) =>
    new MeshError('MESH_LAB_NET_SETUP', `${script} ${call} has printed ${what}`, {
      operation: 'set up a net',
      object: script,
      rule: `A net set-up prints options of QEMU that add a card, separated by blanks: ${ALLOWED.join(', ')}, each with one word behind it. All else goes to the standard error.`,
      remedy: `Run it by hand in the lab: \`mesh lab exec host0 -- ${script} ${call}\``,
    });
  if (printed.length > LENGTH_MAX) throw refuse(`more than ${LENGTH_MAX} characters`);
  const words = printed.split(/\s+/).filter((word) => word !== '');
  const shown = (word: string) => JSON.stringify(word.slice(0, SHOWN_MAX));
  if (words.length === 0) throw refuse('nothing');
  for (let index = 0; index < words.length; index += 2) {
    const [option = '', value] = [words[index], words[index + 1]];
    if (!ALLOWED.some((allowed) => allowed === option)) throw refuse(`${shown(option)}, which is no such option`);
    if (value === undefined || value.startsWith('-')) throw refuse(`${option} without its word`);
  }
  if (!words.some((word) => ADDS_CARD.has(word))) throw refuse('options that add no card');
  return words;
}
