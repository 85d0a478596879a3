import { defineConfig } from "vite";

// The server answers these names as they stand, and they are committed: no hashes, one script, one stylesheet.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    license: { fileName: "LICENSES.txt" },
    rolldownOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "app.[ext]", codeSplitting: false },
    },
  },
});
