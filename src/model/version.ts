/** The product's version, as `mesh --version` and status documents give it. */
export const VERSION = '0.1.0';
