"""Keywords of signatures: those that only inspect traffic, and what others do besides.

An unknown keyword may do anything, so what is not listed here is refused as well.
"""

from typing import Final

# Suricata 7 and 8: `suricata --list-keywords`, and the names in the engine's source.
SURICATA: Final = frozenset(
    """
    absent ack alert app-layer-event app-layer-protocol app-layer-state asn1 base64_data
    base64_decode bsize byte_extract byte_jump byte_math byte_test cip_service classtype
    compress_whitespace content dce_iface dce_opnum dce_stub_data dcerpc.iface dcerpc.opnum
    dcerpc.stub_data decode-event depth detection_filter dhcp.leasetime dhcp.rebinding_time
    dhcp.renewal_time distance dnp3.data dnp3.func dnp3.ind dnp3.obj dnp3_data dnp3_func dnp3_ind
    dnp3_obj dns.additionals.rrname dns.answer.name dns.answers.rrname dns.authorities.rrname
    dns.opcode dns.queries.rrname dns.query dns.query.name dns.rcode dns.response.rrname
    dns.rrtype dns_query domain dotprefix dsize email.body_md5 email.cc email.date email.from
    email.message_id email.received email.subject email.to email.url email.x_mailer endswith
    engine-event enip.capabilities enip.cip_attribute enip.cip_class enip.cip_extendedstatus
    enip.cip_instance enip.cip_status enip.command enip.device_type enip.identity_status
    enip.product_code enip.product_name enip.protocol_version enip.revision enip.serial
    enip.service_name enip.state enip.status enip.vendor_id enip_command entropy ether.hdr
    fast_pattern file.data file.magic file.name file_data fileext filemagic filename filesize
    flags flow flow.age flow.bytes flow.bytes_toclient flow.bytes_toserver flow.elephant flow.pkts
    flow.pkts_toclient flow.pkts_toserver flowbits flowint flowvar fragbits fragoffset frame
    from_base64 ftp.command ftp.command_data ftp.completion_code ftp.dynamic_port ftp.mode
    ftp.reply ftp.reply_received ftpbounce ftpdata_command geoip gid gunzip header_lowercase
    hostbits http.accept http.accept_enc http.accept_lang http.connection http.content_len
    http.content_type http.cookie http.header http.header.raw http.header_names http.host
    http.host.raw http.location http.method http.protocol http.referer http.request_body
    http.request_header http.request_line http.response_body http.response_header
    http.response_line http.server http.start http.stat_code http.stat_msg http.uri
    http.uri.normalized http.uri.raw http.user_agent http2.errorcode http2.frametype
    http2.header_name http2.priority http2.settings http2.size_update http2.window http_accept
    http_accept_enc http_accept_lang http_client_body http_connection http_content_len
    http_content_type http_cookie http_header http_header_names http_host http_method
    http_protocol http_raw_header http_raw_host http_raw_uri http_referer http_request_line
    http_response_line http_server_body http_start http_stat_code http_stat_msg http_uri
    http_user_agent icmp_id icmp_seq icmpv4-csum icmpv4.hdr icmpv6-csum icmpv6.hdr icmpv6.mtu
    icode id igmp-csum igmp.hdr igmp.type ike.chosen_sa_attribute ike.exchtype ike.init_spi
    ike.key_exchange_payload ike.key_exchange_payload_length ike.nonce_payload
    ike.nonce_payload_length ike.resp_spi ike.vendor ike.vendor.dn ike_init_spi ike_resp_spi
    ip.dst ip.src ip_proto ipopts iprep ipv4-csum ipv4.hdr ipv6.hdr isdataat itype ja3.hash
    ja3.string ja3_hash ja3_string ja3s.hash ja3s.string ja4.hash ja4_hash krb5.cname krb5.sname
    krb5.ticket_encryption krb5_cname krb5_err_code krb5_msg_type krb5_sname
    krb5_ticket_encryption l3_proto ldap.request.attribute_type ldap.request.dn
    ldap.request.operation ldap.responses.attribute_type ldap.responses.count ldap.responses.dn
    ldap.responses.message ldap.responses.operation ldap.responses.result_code
    llmnr.additionals.rrname llmnr.answers.rrname llmnr.authorities.rrname llmnr.queries.rrname
    llmnr.response.rrname mdns.additionals.rrname mdns.answers.rrname mdns.authorities.rrname
    mdns.queries.rrname mdns.response.rrname metadata modbus mqtt.connack.session_present
    mqtt.connect.clientid mqtt.connect.flags mqtt.connect.password mqtt.connect.protocol_string
    mqtt.connect.username mqtt.connect.willmessage mqtt.connect.willtopic mqtt.flags
    mqtt.protocol_version mqtt.publish.message mqtt.publish.topic mqtt.qos mqtt.reason_code
    mqtt.subscribe.topic mqtt.type mqtt.unsubscribe.topic msg nfs.version nfs_procedure
    nfs_version noalert nocase ntp.mode ntp.reference_id ntp.stratum ntp.version offset pcre
    pcrexform pgsql.query pkt_data pktvar prefilter priority quic.cyu.hash quic.cyu.string
    quic.sni quic.ua quic.version quic_sni quic_ua quic_version rawbytes reference requires rev
    rfb.name rfb.secresult rfb.sectype rpc sameip sctp.chunk_cnt sctp.chunk_data sctp.chunk_type
    sctp.hdr sctp.vtag sdp.attribute sdp.bandwidth sdp.connection_data sdp.email
    sdp.encryption_key sdp.media.connection_data sdp.media.encryption_key sdp.media.media
    sdp.media.media_info sdp.origin sdp.phone_number sdp.repeat_time sdp.session_info
    sdp.session_name sdp.time sdp.timezone sdp.uri seq sid sip.content_length sip.content_type
    sip.from sip.method sip.protocol sip.request_line sip.response_line sip.stat_code sip.stat_msg
    sip.to sip.ua sip.uri sip.via smb.named_pipe smb.ntlmssp_domain smb.ntlmssp_user smb.share
    smb.version smb_named_pipe smb_ntlmssp_domain smb_ntlmssp_user smb_share smb_version smtp.helo
    smtp.mail_from smtp.rcpt_to snmp.community snmp.pdu_type snmp.trap_address snmp.trap_oid
    snmp.trap_type snmp.usm snmp.version ssh.hassh ssh.hassh.server ssh.hassh.server.string
    ssh.hassh.string ssh.proto ssh.protoversion ssh.software ssh.softwareversion ssh_proto
    ssh_software ssl_state ssl_version startswith stream-event stream_size strip_pseudo_headers
    strip_whitespace subslice target tcp.ack tcp.flags tcp.hdr tcp.mss tcp.seq tcp.session
    tcp.window tcp.wscale tcpv4-csum tcpv6-csum template2 threshold tld tls.alpn
    tls.cert_chain_len tls.cert_fingerprint tls.cert_issuer tls.cert_serial tls.cert_subject
    tls.certs tls.fingerprint tls.issuerdn tls.random tls.random_bytes tls.random_time tls.sni
    tls.subject tls.subjectaltname tls.version tls_cert_expired tls_cert_fingerprint
    tls_cert_issuer tls_cert_notafter tls_cert_notbefore tls_cert_serial tls_cert_subject
    tls_cert_valid tls_sni to_lowercase to_md5 to_sha1 to_sha256 to_uppercase tos ttl udp.hdr
    udpv4-csum udpv6-csum uricontent urilen url_decode vlan.id vlan.layers websocket.flags
    websocket.mask websocket.opcode websocket.payload window within xbits xor zlib_deflate
    """.split()  # noqa: SIM905 - one name a line would be five hundred lines
)
# Snort 2.9 (its manual) and Snort 3 (`snort --help-options`, and the names in its source).
SNORT: Final = frozenset(
    """
    ack appid appids asn1 back_orifice base64_data base64_decode ber_data ber_skip bufferlen
    byte_extract byte_jump byte_math byte_test cip_attribute cip_class cip_conn_path_class
    cip_instance cip_req cip_rsp cip_service cip_status classtype content count cvs dce_iface
    dce_opnum dce_stub_data depth detection_filter distance dnp3_data dnp3_func dnp3_ind dnp3_obj
    dsize enip_command enip_req enip_rsp fast_pattern file_data file_type flags flow flowbits
    fragbits fragoffset ftpbounce gid gtp_info gtp_type gtp_version hash http2_decoded_header
    http2_frame_data http2_frame_header http_client_body http_cookie http_decoded_uri http_encode
    http_header http_header_test http_max_header_line http_max_trailer_line http_method
    http_num_cookies http_num_headers http_num_trailers http_param http_raw_body http_raw_cookie
    http_raw_header http_raw_request http_raw_status http_raw_trailer http_raw_uri http_stat_code
    http_stat_msg http_trailer http_trailer_test http_true_ip http_uri http_version
    http_version_match icmp_id icmp_seq icode id iec104_apci_type iec104_asdu_func ip_proto ipopts
    isdataat itype js_data length md5 metadata mms_data mms_func modbus_data modbus_func
    modbus_unit msg nocase offset opcua_msg_service opcua_msg_type opcua_node_id
    opcua_node_namespace_index pcre pkt_data priority protected_content raw_data rawbytes
    reference regex rem rev rpc rpc_decode s7commplus_content s7commplus_func s7commplus_opcode
    sameip sd_pattern seq service sha256 sha512 sid sip_body sip_header sip_method sip_stat_code
    socks_address_type socks_command socks_remote_address socks_remote_port socks_state
    socks_version ssl_state ssl_version stream_size target threshold tlv_pdu tos ttl uricontent
    urilen vba_data window within
    """.split()  # noqa: SIM905 - one name a line would be five hundred lines
)

# What each does besides inspecting traffic, as far as an engine has it.
REACHING: Final = {
    **dict.fromkeys(
        ("datarep", "dataset", "filemd5", "filesha1", "filesha256"), "opens files on the sensor"
    ),
    **dict.fromkeys(
        ("filestore", "logto", "session", "tag", "tls.store", "tls_store"),
        "writes traffic to files",
    ),
    **dict.fromkeys(("lua", "luajit", "luaxform", "so", "soid"), "runs code"),
    **dict.fromkeys(("nfq_set_mark", "react", "replace", "resp"), "changes or answers traffic"),
    **dict.fromkeys(
        ("bypass", "config", "enable", "stream_reassemble"),
        "stops the engine from inspecting traffic",
    ),
    **dict.fromkeys(("activated_by", "activates"), "switches other rules on or off"),
}
# Marks that rules set for each other; clearing one blinds the rules that wait for it.
_MARKS: Final = frozenset({"flowbits", "hostbits", "xbits"})
_TAKES_BACK: Final = frozenset({"reset", "setx", "toggle", "unset"})


def reach(known: frozenset[str], key: str, value: str) -> str | None:
    """Return what an option does besides inspecting traffic; None for nothing."""
    if key in REACHING:
        return REACHING[key]
    if key not in known:
        return "is not known to only inspect traffic"
    if key in _MARKS and value.partition(",")[0].strip().lower() in _TAKES_BACK:
        return "clears marks that other rules wait for"
    return None
