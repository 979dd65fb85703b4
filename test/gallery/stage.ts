/** The test browser: where it is and how it is started. */
export const browserPath = '/usr/bin/chromium';
export const browserFlags = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--enable-unsafe-swiftshader'] as const;
