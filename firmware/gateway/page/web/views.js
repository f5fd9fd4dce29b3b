// The views, in the order of the menu. load brings a module with
//
//	show(root, page)   // fills root; ends when page.signal is aborted
//
// needs: words of /api/me's "may"; without one of them the menu has not the view. Its name in the menu
// is the text "view.ID".
export const views = [
  { id: "now", load: () => import("./now.js") },
  { id: "aim", load: () => import("./aim.js") },
  { id: "alarms", load: () => import("./alarms.js") },
  { id: "limits", needs: ["try"], load: () => import("./limits.js") },
  { id: "wiring", needs: ["test"], load: () => import("./wiring.js") },
  { id: "pilot", needs: ["mark"], load: () => import("./pilot.js") },
  { id: "config", needs: ["config"], load: () => import("./config.js") },
  { id: "about", load: () => import("./about.js") },
];
