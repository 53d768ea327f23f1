import static org.codelibs.opensearch.runner.OpenSearchRunner.newConfigs;

import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one OpenSearch node on a port of the loopback, with its data in a folder, until it is killed. */
class OpenSearch {
    public static void main(String[] args) throws Exception {
        String port = args[0];
        String folder = args[1];
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", port);
            settings.put("discovery.type", "single-node");
            settings.putList("discovery.seed_hosts");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        }).build(newConfigs().clusterName("tests").numOfNode(1).basePath(folder));
        runner.ensureYellow();
        Thread.currentThread().join();
    }
}
