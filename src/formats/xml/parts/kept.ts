/**
 * What libvirt's XML says and the model has no place for: it is kept with the network, has no effect on a node, and is printed
 * again. How a part was written belongs here, too, so that a document comes back as it was given.
 */
import * as form from '../../../model/form.ts';
import type { Network } from '../../../model/network/network.ts';

/** A virtual port, for the hypervisor that plugs guests in. */
export interface KeptVirtualPort {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What is kept of a port group. */
export interface KeptPortGroup {
  readonly virtualPort?: KeptVirtualPort;
  readonly trustGuestRxFilters?: boolean;
}

/** What is kept with a network. */
export interface Kept {
  readonly trustGuestRxFilters?: boolean;
  /** The description, where it has several lines: the model's has one. */
  readonly description?: string;
  /** Elements of other programs in the metadata, as XML. */
  readonly metadata?: readonly string[];
  readonly virtualPort?: KeptVirtualPort;
  readonly portGroups?: Readonly<Record<string, KeptPortGroup>>;
  /** The driver that takes PCI cards for guests. */
  readonly driver?: { readonly name?: string; readonly model?: string };
  /** How parts were written, by what they are about: `mask 10.1.2.1` → `netmask`. */
  readonly written?: Readonly<Record<string, string>>;
  /** Comments and other parts within our own metadata. */
  readonly ownMetadata?: string;
}

/** The key in `extra`. */
export const KEPT_KEY = 'libvirt';

const TEXT_MAX = 1024 * 1024;
const COUNT_MAX = 20_000;

const TextShape = form.string({ max: TEXT_MAX });
/** The form of a virtual port. */
export const VirtualPortShape: form.Shape<KeptVirtualPort> = form.object({
  type: TextShape,
  parameters: form.recordOf(TextShape, TextShape, COUNT_MAX),
});

const KeptShape: form.Shape<Kept> = form.object({
  trustGuestRxFilters: form.exactOptional(form.boolean()),
  description: form.exactOptional(TextShape),
  metadata: form.exactOptional(form.listOf(TextShape, COUNT_MAX)),
  virtualPort: form.exactOptional(VirtualPortShape),
  portGroups: form.exactOptional(
    form.recordOf(
      TextShape,
      form.object({
        virtualPort: form.exactOptional(VirtualPortShape),
        trustGuestRxFilters: form.exactOptional(form.boolean()),
      }),
      COUNT_MAX,
    ),
  ),
  driver: form.exactOptional(
    form.object({ name: form.exactOptional(TextShape), model: form.exactOptional(TextShape) }),
  ),
  written: form.exactOptional(form.recordOf(TextShape, TextShape, COUNT_MAX)),
  ownMetadata: form.exactOptional(TextShape),
});

/** What is kept with a network; nothing for one that has never been XML, or where another program wrote something else. */
export function keptOf({ extra }: Pick<Network, 'extra'>): Kept {
  try {
    return KeptShape.read(extra[KEPT_KEY] ?? {});
  } catch (error) {
    if (error instanceof form.Misfit) return {};
    throw error;
  }
}

/** How a part was written; undefined where Meshwork may choose. */
export function writtenAs(kept: Kept, part: string): string | undefined {
  return kept.written !== undefined && Object.hasOwn(kept.written, part) ? kept.written[part] : undefined;
}

/** The extra of a network with other things kept; without the key where nothing is kept. */
export function withKept(extra: Network['extra'], kept: Kept): Network['extra'] {
  const { [KEPT_KEY]: _, ...others } = extra;
  return Object.keys(kept).length === 0 ? others : { ...others, [KEPT_KEY]: kept };
}
