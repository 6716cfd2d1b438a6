/** Networks as the words of virsh print them: in libvirt's XML. */
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import { formOf } from './net-lookup.ts';

/** Which form of a network is printed. */
export interface DocumentForm {
  /** As it is defined, and not as it runs. */
  readonly inactive?: boolean;
}

/** The document of a network, with its UUID. */
export async function networkDocument(view: CatalogueView, form: DocumentForm): Promise<string> {
  const { printNetworkXml } = await import('../../formats/xml/network-print.ts');
  const { uuid = view.uuid, ...network } = formOf(view, form);
  const isRunning = view.activity.phase === 'active' && form.inactive !== true;
  return printNetworkXml({ ...network, ...(uuid !== undefined && { uuid }) }, { inactive: !isRunning });
}
