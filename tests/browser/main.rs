//! Reports, and the proxy's page, in a real browser: Debian's Chromium without a screen, driven over
//! WebDriver. `.ci/install` installs both.

mod conform_page;
mod driver;
mod every_capture;
mod mock;
mod page;
mod proxy_page;
mod replay_page;
mod use_of_page;
