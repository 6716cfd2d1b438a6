/** The rooms of `src/`: what is in each, which rooms and sub-folders it may import from, and why. */

/** What a room or a sub-folder may import from, each with the reason. */
export type Reasons = Readonly<Record<string, string>>;

export interface Room {
  /** What the map in CONTRIBUTING.md says of the room. */
  readonly what: string;
  /** The rooms below that it may import from. */
  readonly may: Reasons;
  /** Sub-folder → the other sub-folders of this room that it may import from. `.` is the files beside the sub-folders. */
  readonly folders: Readonly<Record<string, Reasons>>;
}

const COMPOSITION = 'a composition root puts the parts together';

/** From the top down: a room may import only from rooms that stand below it. */
export const ROOMS: Readonly<Record<string, Room>> = {
  main: {
    what: 'where the processes start: composition only',
    may: Object.fromEntries(
      [
        'cli',
        'api',
        'boot',
        'image',
        'controller',
        'agent',
        'services',
        'store',
        'disk',
        'kernel',
        'machine',
        'metrics',
        'formats',
        'protocol',
        'model',
      ].map((room) => [room, COMPOSITION]),
    ),
    folders: {
      '.': { host0: 'parts of host0’s composition' },
      host0: {},
    },
  },
  cli: {
    what: 'the `mesh` command, a folder a noun; `program.ts` is the tree',
    may: {
      model: 'names and addresses as arguments',
      protocol: 'the documents that it prints',
      formats: '`network check` works without a running process',
      disk: '`node adopt` makes the folder of a machine, which must survive a power cut',
      machine: '`genid machine` works without a running process',
      kernel: 'permanent Ethernet addresses for `genid machine`, and what only root may do',
      lab: '`mesh lab`',
      image: '`mesh system image`, `mesh system configure` and `mesh node preview` work without a running process',
      services: 'processes by pid and start time',
      boot: 'the boot script that `mesh node preview` shows',
      metrics: 'how labels are written',
      store: '`mesh system backup` works without a running process',
    },
    folders: {
      print: { '.': 'the terminal that is printed to' },
      pages: {},
      here: { '.': 'the context of a command', print: 'tables, colours and progress' },
      network: { '.': 'the context of a command', print: 'tables and colours' },
      workload: { '.': 'the context of a command', print: 'tables, colours and progress' },
      ipam: { '.': 'the context of a command', print: 'tables and colours' },
      owner: { '.': 'the context of a command', print: 'tables and colours' },
      order: { '.': 'the context of a command', print: 'tables, colours and progress' },
      system: { '.': 'the context of a command', print: 'tables, colours and progress' },
      node: {
        '.': 'the context of a command',
        print: 'tables, colours and progress',
        system: 'a node has the same log files, and its overlay comes from the same tree',
      },
      lab: {
        '.': 'the context of a command',
        print: 'tables, colours and progress',
        node: 'the boots of a lab’s machines are shown like those of real machines',
      },
      '.': {
        print: 'what a terminal can show',
        here: 'a branch of the tree',
        network: 'a branch of the tree',
        workload: 'a branch of the tree',
        ipam: 'a branch of the tree',
        owner: 'a branch of the tree',
        order: 'a branch of the tree',
        system: 'a branch of the tree',
        node: 'a branch of the tree; completion lists nodes',
        lab: 'a branch of the tree',
      },
    },
  },
  lab: {
    what: 'clusters on one machine, in network namespaces and emulated machines',
    may: {
      model: 'addresses and identities of its hosts',
      protocol: 'paths and member lists',
      disk: 'the record of a lab survives a crash',
      kernel: 'namespaces, links and pings',
      services: 'processes by pid and start time',
      image: 'emulated machines boot what is compiled and built for real ones',
    },
    folders: {
      hosts: {},
      checks: { hosts: 'the hosts that are checked' },
      cluster: { hosts: 'a cluster is made of hosts', checks: 'a cluster is up when its pairs answer' },
    },
  },
  api: {
    what: 'what host0 answers: the member list inside each mesh, the channels of nodes, and its control socket',
    may: {
      model: 'documents are made of the model’s types',
      protocol: 'the routes’ documents',
      controller: 'a transport calls the controller',
      disk: 'host0 sends files of its own to nodes',
      kernel: 'listeners bound to a device, and who is at the other end',
      metrics: 'it times its answers, and serves what was counted',
    },
    folders: {
      membership: {},
      channel: { membership: 'who is at the other end of a connection inside a mesh' },
      control: {
        channel: 'host0’s agent asks other nodes on their channels',
      },
    },
  },
  boot: {
    what: 'host0’s side of the boot segments: scan, modes, DHCP and boot server, who boots and how far each boot is',
    may: {
      model: 'segments have addresses',
      protocol: 'the segment that assignments speak of',
      kernel: 'which NICs host0 has, and what is on them',
      machine: 'a machine is recognised as it would recognise itself',
      services: 'dnsmasq, which speaks DHCP and TFTP for us',
      formats: 'host0’s settings',
      disk: 'allocations that survive a power cut',
      store: 'boots under way, which outlive host0’s daemon',
      controller: 'subnets of segments come from the pools',
    },
    folders: {
      frames: {},
      nics: { frames: 'scans send probes and read the answers' },
      timeline: { frames: 'a timeline is made of sightings' },
      segment: {
        frames: 'a segment is heard by its frames',
        nics: 'a segment is a group of NICs with a subnet',
        timeline: 'what a segment cannot give becomes the trouble of its boots',
      },
      site: { frames: 'each request is a sighting' },
      '.': {
        frames: 'sightings go from the segments to the boots',
        nics: 'the NICs are scanned and grouped',
        segment: 'each segment is listened to and served',
        site: 'each segment has a boot server',
        timeline: 'trouble is told with the health of host0',
      },
    },
  },
  image: {
    what: 'what machines run: overlays from manifests, and the node’s image from packages',
    may: {
      model: 'machines, errors and the version',
      protocol: 'the paths of host0',
      formats: 'manifests, archives and programs',
      disk: 'images and overlays that survive a power cut',
      services: 'which process builds an image now',
    },
    folders: {
      '.': {},
      overlay: { '.': 'host0’s own key is in every overlay' },
      packages: {},
      node: { packages: 'an image is made of packages' },
    },
  },
  controller: {
    what: 'host0’s brain: who is a member of which mesh, and which machines there are',
    may: {
      model: 'what a cluster is',
      protocol: 'what it tells agents and hears from them',
      formats: 'host0’s network files and settings',
      store: 'the only writer of desired state',
      metrics: 'what it counts of itself',
    },
    folders: {
      admission: {},
      pools: {},
      catalogue: { pools: 'networks take numbers and prefixes from the pools' },
      membership: { admission: 'whether a machine may become a member, and proves who it is' },
      machines: {
        membership: 'a node is the sum of its memberships',
        admission: 'the tokens that proofs are checked with follow from the keys of machines',
      },
      assignments: {
        membership: 'one change of a node after the other',
        catalogue: 'the catalogue asks who uses a network',
        pools: 'the ids of ports, and the addresses of nodes',
        ports: 'ports are in the assignments of their nodes',
      },
      routers: {},
      multicast: { assignments: 'what nodes hear, and which nodes hold a network' },
      ports: { pools: 'the ids of ports' },
      ipam: {
        pools: 'blocks of addresses are values of pools',
        catalogue: 'subnets of networks are blocks of address pools',
        membership: 'one request with an id after the other',
      },
      workloads: {
        assignments: 'a workload is given to its node',
        ports: 'a workload has ports',
      },
      orders: { catalogue: 'an order makes networks', workloads: 'an order starts workloads' },
      owners: { orders: 'an owner has orders' },
      services: {
        assignments: 'services are given to the nodes that serve, and those tell how they are',
      },
      '.': {
        admission: 'one admission for all meshes',
        membership: 'one membership a mesh',
        machines: 'the list of nodes',
        assignments: 'members say where nodes are',
      },
    },
  },
  agent: {
    what: 'a node’s brain: desired and observed items, the plan, its application',
    may: {
      model: 'what a node takes part in',
      protocol: 'what it tells host0 and hears from it',
      formats: 'a node’s own network files',
      disk: 'what must be there again after a power cut, and files that services read',
      kernel: 'the only writer of kernel state',
      services: 'processes that serve networks',
      metrics: 'what it counts of itself',
    },
    folders: {
      items: {},
      firewall: {},
      kernel: { items: 'the kernel’s state is read as items' },
      loop: { items: 'a plan compares items', kernel: 'the loop observes and changes a kernel' },
      desired: {
        items: 'desired state is a map of items',
        kernel: 'the NICs that rules name',
        loop: 'it names the items that changed',
      },
      membership: {
        desired: 'a source gives the planner its input',
        items: 'routes with our mark do not count as the underlay’s',
        kernel: 'what the kernel knows of members and of host0',
      },
      assignment: {},
      ports: {
        items: 'a plugged port is an item, with a name that rules can be written for',
        desired: 'which link leads to host0',
        kernel: 'which interfaces are on our bridges',
        loop: 'plugging and unplugging wait for a pass',
        assignment: 'a port waits for a network of host0',
      },
      workloads: {
        items: 'an emulator starts after the ports of its guest',
        desired: 'an emulator is a service of the node',
        images: 'volumes of virtual machines',
        assignment: 'what host0 has given',
      },
      services: {
        items: 'processes, files and spaces are items',
        loop: 'what the loop needs of the machine',
        desired: 'a server of a network is a service of the node',
        assignment: 'the states of what host0 has given',
      },
      images: {},
      console: {},
      probe: { '.': 'the networks of this agent', assignment: 'host0 is told what was heard' },
      '.': {
        items: 'the state of a network is that of its items',
        kernel: 'the kernel is handed on to the loop',
        loop: 'an agent runs one loop',
        desired: 'the loop’s desired items',
        membership: 'the source of networks and members',
        assignment: 'what host0 has given',
        ports: 'plugged interfaces',
        workloads: 'virtual machines are services of the node',
        services: 'servers of networks are services of the node',
      },
      view: {
        '.': 'views are built from the agent’s state',
        assignment: 'the networks that host0 has given, with their states',
        desired: 'a table is full at the limit that was asked for, and a stance says which links are the underlay',
        kernel: 'full tables are counted',
        items: 'an item is explained by what it prints',
        loop: 'a plan is shown by its steps',
      },
      channel: {
        '.': 'the networks of this agent',
        trace: 'host0 asks for paths',
        capture: 'host0 asks for captures',
        console: 'host0 asks for consoles',
        images: 'host0 asks for disk images, and sends those of its own',
      },
      ping: { '.': 'the members that this agent knows', view: 'a member is found by what people call it' },
      trace: {
        '.': 'the state of this agent',
        firewall: 'other programs’ rules are on the path',
        items: 'hops compare items',
        kernel: 'hops compare with the kernel',
        loop: 'what is wanted and what is there differ as in a plan',
        view: 'a member is found by what people call it',
      },
      capture: { '.': 'the networks of this agent' },
      doctor: {
        '.': 'the state of this agent',
        desired: 'the counter in our own table',
        firewall: 'other programs’ rules drop packets',
        images: 'the room of the image cache is judged',
        workloads: 'what a node has for its guests is judged',
        items: 'our own tables and settings are no finding',
        kernel: 'the kernel’s state is judged',
        loop: 'features that steps miss',
        ping: 'other members are asked',
        view: 'findings of the status are repeated',
      },
      api: {
        '.': 'what the agent is asked',
        loop: 'the loop’s counters',
        view: 'documents of the agent',
        ping: '`mesh ping`',
        trace: '`mesh trace`',
        capture: '`mesh capture`',
        doctor: '`mesh doctor`',
      },
    },
  },
  services: {
    what: 'child processes that outlive us, and their configurations',
    may: { model: 'the clock and errors', protocol: 'the journal, and what a service tells of itself' },
    folders: {
      process: {},
      dnsmasq: {},
      radvd: { process: 'a radvd is a supervised process' },
      qemu: { process: 'an emulator is a supervised process' },
      hook: { process: 'hooks that were left running are found by pid and start time' },
    },
  },
  store: {
    what: 'host0’s memory: revisions, transactions, watches',
    may: {
      model: 'errors, the clock and randomness',
      disk: 'directories that survive a power cut, and files that are moved aside',
      formats: 'what host0 shows to etcd is in a file that people write',
      protocol: 'what is not well with a store is a finding',
    },
    folders: {
      '.': {},
      sqlite: { '.': 'sqlite keeps a ledger' },
      etcd: { '.': 'what etcd has is mirrored in a ledger' },
    },
  },
  disk: {
    what: 'files that survive a power cut, watched directories, accepted sets of files',
    may: {
      model: 'errors and the clock',
      formats: 'network files are judged before they are taken',
      protocol: 'documents have one reader',
    },
    folders: {},
  },
  kernel: {
    what: 'rtnetlink, nft, namespaces, sockets, one mirror of links, addresses, routes and entries a process',
    may: { model: 'addresses and errors' },
    folders: {
      netlink: { '.': 'the C library, namespaces, addresses as bytes' },
      rtnl: { '.': 'the C library, addresses as bytes', netlink: 'rtnetlink is spoken in netlink messages' },
      mirror: { '.': 'addresses of both families', rtnl: 'a mirror is filled by dumps and by events of rtnetlink' },
      nftables: { '.': 'the C library, addresses as bytes', netlink: 'set elements are changed by netlink messages' },
      sockets: { '.': 'the C library, namespaces, addresses as bytes' },
      multicast: { '.': 'namespaces, addresses of both families', sockets: 'sockets bound to a device' },
      unix: { '.': 'the C library' },
      tap: { '.': 'the C library, namespaces' },
      '.': {
        tap: 'the probe for features makes a tap',
        netlink: 'nft runs on the same threads as netlink',
        rtnl: 'the probe for features makes links',
      },
    },
  },
  machine: {
    what: 'what a machine is known by, and what it is made of',
    may: { model: 'machine ids and errors', protocol: 'the paths of a machine' },
    folders: {},
  },
  metrics: {
    what: 'counters, gauges, histograms, and their text for Prometheus',
    may: { model: 'the clock and the version', protocol: 'the status that becomes numbers' },
    folders: {},
  },
  formats: {
    what: 'parsers and printers of what people write, and how an error is shown',
    may: { model: 'formats parse into the model', protocol: 'a format may print what a process told' },
    folders: {
      '.': {},
      conf: { '.': 'what the system refuses is said in words' },
      host0: { '.': 'what the system refuses is said in words', conf: 'host0.conf is a file of `key=value` lines' },
      network: {},
      workload: { '.': 'what the system refuses is said in words', conf: 'a workload file has `key=value` lines' },
      capture: {},
      binary: {},
    },
  },
  protocol: {
    what: 'what the processes say to each other, how they are asked, and the journal',
    may: { model: 'documents are made of the model’s types' },
    folders: {
      documents: {},
      journal: { documents: 'conditions are documents' },
      shapes: { documents: 'a shape is the form of a document', journal: 'events have a form, too' },
      channel: {},
      routes: {
        documents: 'a route carries documents',
        shapes: 'a route has the forms of what it takes and answers',
      },
      http: {
        documents: 'HTTP carries documents',
        journal: 'the journal is served as a stream',
      },
      calls: {
        routes: 'a call is written and read by its route',
        documents: 'streams of events',
        shapes: 'an answer is read by its form',
        http: 'servers and clients of HTTP/1.1, and streams of events',
      },
      openapi: {
        routes: 'a document is printed from a table',
        shapes: 'forms are printed as schemas',
      },
    },
  },
  model: {
    what: 'networks, members, addresses, identifiers, errors',
    may: {},
    folders: {
      '.': {},
      address: { '.': 'a text that is no address is an error' },
      network: { '.': 'identifiers', address: 'members have addresses' },
      workload: {
        '.': 'identifiers',
        address: 'cards have addresses',
        network: 'cards are plugged into networks',
      },
      ipam: { '.': 'forms', address: 'pools hold addresses', network: 'names have one form' },
    },
  },
};
