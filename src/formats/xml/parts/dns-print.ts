/** Prints `<dns>` and `<domain>`. */
import type { NetworkDns } from '../../../model/network/dns.ts';
import { type XmlLines, xmlElement, xmlTextElement } from '../text/xml-text.ts';

/** The domain of a network. */
export function domainElement(dns: NetworkDns | undefined): XmlLines[] {
  if (dns?.domain === undefined || dns.domain === '') return [];
  const { domain, localOnly, register } = dns;
  return [xmlElement('domain', { name: domain, localOnly: yesNo(localOnly), register: yesNo(register) })];
}

/** The names of a network. */
export function dnsElement(dns: NetworkDns | undefined): XmlLines[] {
  if (dns === undefined) return [];
  const { enabled, forwardPlainNames, forwarders, txt, srv, hosts } = dns;
  const attributes = { enable: yesNo(enabled), forwardPlainNames: yesNo(forwardPlainNames) };
  const children = [
    ...forwarders.map(({ domain, address, port }) => xmlElement('forwarder', { domain, addr: address, port })),
    ...txt.map(({ name, value }) => xmlElement('txt', { name, value })),
    ...srv.map(({ service, protocol, domain, target, port, priority, weight }) =>
      xmlElement('srv', {
        service,
        protocol,
        domain,
        target,
        port,
        priority: priority || undefined,
        weight: weight || undefined,
      }),
    ),
    ...hosts.map(({ address, names }) => xmlElement('host', { ip: address }, names.map(hostname))),
  ];
  const isThere = children.length > 0 || enabled !== undefined || forwardPlainNames !== undefined;
  return isThere ? [xmlElement('dns', attributes, children)] : [];
}

function hostname(name: string): XmlLines {
  return xmlTextElement('hostname', name);
}

function yesNo(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : value ? 'yes' : 'no';
}
