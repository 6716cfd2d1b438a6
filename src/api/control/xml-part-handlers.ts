/**
 * What host0 answers of elements of networks in libvirt's XML. An element is read, and put into the network, in the order of the
 * catalogue's changes: two clients that change one network at once lose nothing.
 */
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import { definitionIn } from '../../protocol/documents/catalogue.ts';
import type { XML_PART_ROUTES } from '../../protocol/routes/network/xml-part-routes.ts';

/** The handlers. The code that reads XML is loaded with the first question. */
export function xmlPartHandlers(catalogue: NetworkCatalogue): RouteHandlers<typeof XML_PART_ROUTES> {
  return {
    'POST /v1/catalogue/{name}/elements': async ({ path: { name }, query, body: { parentIndex = -1, ...part } }) => {
      const { parseUpdateXml } = await import('../../formats/xml/network-update.ts');
      return catalogue.update(name, parseUpdateXml({ ...part, parentIndex }), optionsOf(query));
    },
    'GET /v1/catalogue/{name}/metadata': async ({ path: { name }, query: { uri, config } }) => {
      const { METADATA, networkMetadata } = await import('../../formats/xml/network-metadata.ts');
      const view = catalogue.find(name);
      return { xml: networkMetadata(config ? definitionIn(view) : view.network, { type: METADATA.element, uri }) };
    },
    'PUT /v1/catalogue/{name}/metadata': async ({ path: { name }, query, body: { uri, key, xml: text } }) => {
      const { METADATA, withNetworkMetadata } = await import('../../formats/xml/network-metadata.ts');
      const change = { type: METADATA.element, uri, key, text };
      return catalogue.update(name, (network) => withNetworkMetadata(network, change), optionsOf(query));
    },
  };
}

function optionsOf({
  live,
  config,
  ...query
}: {
  readonly live: boolean;
  readonly config: boolean;
  readonly 'dry-run': boolean;
}) {
  return { live, config, dryRun: query['dry-run'] };
}
