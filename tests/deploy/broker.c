/* A broker for the test of the image: librdkafka's mock cluster. It prints its address, and ends when
 * standard input does. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

int main(void)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_mock_cluster_t *cluster = rk != NULL ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
    if (cluster == NULL) {
        fprintf(stderr, "broker: the mock cluster does not start\n");
        return 1;
    }
    rd_kafka_mock_topic_create(cluster, "ivr.call-requests", 4, 1);
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(rk);
    return 0;
}
