/** The forms of names, texts and numbers in documents of networks. Names stand in commands, in nft's text and in the kernel. */
import * as form from '../form.ts';
import type { NetworkId } from './number.ts';

/** The longest list in a document of a network. */
export const NETWORK_LIST_MAX = 4_096;
const TEXT_MAX_LENGTH = 1_000;

/** The name of a network, as `name=` in its file and in references from elsewhere. */
export const NETWORK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** `NETWORK_NAME` in words. */
export const NETWORK_NAME_RULE =
  'A name is one word: 1 to 63 letters, digits, dots, underscores and hyphens, with a letter or digit first.';

/** One word. */
export const NameShape: form.Shape<string> = form.worded(form.string({ pattern: NETWORK_NAME }), NETWORK_NAME_RULE);
/** A list of words. */
export const NamesShape: form.Shape<string[]> = form.listOf(NameShape, NETWORK_LIST_MAX);
/** A text for people, or for the clients of a service. */
export const LineShape: form.Shape<string> = form.worded(
  form.string({ pattern: new RegExp(`^[^\\u0000-\\u001f\\u007f]{0,${TEXT_MAX_LENGTH}}$`) }),
  `A text of one line, of at most ${TEXT_MAX_LENGTH} characters.`,
);
/** The name of a network device, as the kernel takes it, without characters that have a meaning in nft. */
export const DeviceShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^(?!\.{1,2}$)[\w.@+-]{1,15}$/ }),
  'The name of a device: 1 to 15 letters, digits and characters of . _ @ + -',
);
/** A port of TCP or UDP. */
export const PortNumberShape: form.Shape<number> = form.int(1, 65_535);
/** The identifier of a network. */
export const NetworkIdShape: form.Shape<NetworkId> = form.guard<NetworkId>(
  (value) => typeof value === 'string' && value.length <= 64 && /^[a-z]+-[A-Za-z0-9]+$/.test(value),
  { rule: 'The identifier of a network, as mesh-456 or net-ff01.' },
  form.TEXT,
);
