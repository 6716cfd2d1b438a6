/** Networks as the words of virsh print them. */
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import { formOf } from './net-lookup.ts';

/** The document of a network. @param form `inactive`: as it is defined, and not as it runs */
export async function networkDocument(view: CatalogueView, form: { readonly inactive?: boolean }): Promise<string> {
  const { networkYaml } = await import('../../formats/network/network-yaml.ts');
  return networkYaml(formOf(view, form));
}
