/** The documents in the store that are no networks, below the list of networks. */
import { errorText } from '../../formats/error-text.ts';
import { MeshError } from '../../model/error.ts';
import type { RefusedDocument } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';

/** Each document with the reason. Empty when there is none. */
export function refusedText(refused: readonly RefusedDocument[], { paint }: Context): string {
  const color = paint !== plain;
  return refused
    .map(({ key, error }) => `\nrefused ${key}\n${errorText(MeshError.fromJSON(error), { color })}\n`)
    .join('');
}
