/** The browser that pages are tried, timed and pictured in: Debian's Chromium, or another that PIPELINE_BROWSER names. */
export const chromiumPath = process.env.PIPELINE_BROWSER ?? '/usr/bin/chromium'
